"""One step being worked out: collects sentences and state changes, then becomes a reply."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.events import PromiseKind, Sentence, SentenceKind
from agent.mind import wording
from agent.mind.dialogue.state import EXPECTS, Ask, DialogueState, Reply, Scene
from agent.mind.slots import When, say_last_four, say_phone
from agent.mind.tools import Tool
from agent.mind.wording import Phrase
from agent.restaurant import Fact

OTHER = "other"
"""The message kind that any message may fall back to."""


class Turn:
    """The work of one step; used once, by the functions of this package only."""

    def __init__(self, scene: Scene, state: DialogueState) -> None:
        """Start from ``state``."""
        self.scene = scene
        self.state = state
        self.before = state
        self.sentences: list[Sentence] = []
        self.tool: Tool | None = None
        self.step = ""
        self.prompt_only = False
        """What is said is only a prompt: "say that again" repeats the line before it."""
        self.offer: Ask | None = None
        """What to offer when no need is open."""

    # what is known

    @property
    def can_link(self) -> bool:
        """Whether the ordering link can be texted."""
        return PromiseKind.ORDER_LINK in self.scene.can

    @property
    def can_message(self) -> bool:
        """Whether any message can be taken for the owner."""
        return self.can_take(OTHER)

    def can_take(self, kind: str) -> bool:
        """Return whether messages of this kind are taken."""
        taken = self.scene.restaurant.message_kind(kind) is not None
        return taken and PromiseKind.OWNER_MESSAGE in self.scene.can

    # what is changed

    def put(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = replace(self.state, **changes)

    # what is said

    def say(self, phrase: Phrase, **blanks: str) -> None:
        """Add a phrase, once."""
        self.add(self._worded(phrase, **blanks))

    def say_fact(self, fact: Fact) -> None:
        """Add a fact in the owner's words, once."""
        self.add(Sentence(SentenceKind.FACT, fact.id, fact.say))

    def add(self, sentence: Sentence) -> None:
        """Add a sentence unless this line already has it."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    # how it goes on

    def ask(self, ask: Ask) -> None:
        """Ask ``ask``: it is what the caller's next words answer."""
        again = self.before.asked is ask
        self.put(asked=ask)
        for sentence in self._question(ask, again=again):
            self.add(sentence)

    def ask_again(self) -> None:
        """Repeat the pending question in its short form."""
        for sentence in self._question(self.state.asked, again=True):
            self.add(sentence)

    def use(self, tool: Tool) -> None:
        """Have ``tool`` done; the dialogue goes on with its outcome."""
        self.tool = tool
        self.put(asked=Ask.WORKING, tool=tool)

    def end(self, why: str, *phrases: Phrase, final: bool = True) -> None:
        """End the call; ``final`` unless a clear new need may take it up again."""
        for phrase in phrases:
            self.say(phrase)
        self.step = why
        # A call that was taken up again once is not taken up again.
        self.put(ended=True, final=final or self.state.reopened, agenda=(), question="")

    def result(self) -> tuple[DialogueState, Reply]:
        """Return the new state and the reply."""
        state = self.state
        sentences = tuple(self.sentences)
        if sentences and not self.prompt_only:
            state = replace(state, said=sentences)
        step = self.step or (self.tool and self.tool.promise_kind.value) or state.asked.value
        return state, Reply(step, sentences, EXPECTS[state.asked], self.tool, state.ended)

    # wording

    def _worded(self, phrase: Phrase, **blanks: str) -> Sentence:
        return wording.phrase(
            wording.SHORTER.get(phrase, phrase) if self.scene.short else phrase, **blanks
        )

    def _question(self, ask: Ask, *, again: bool) -> list[Sentence]:
        say = self._worded
        state = self.state
        ordering = not state.agenda or state.agenda[0].kind == "order"
        match ask:
            case Ask.CONFIRM_CALLER_ID:
                digits = say_last_four(self.scene.caller)
                if not ordering:
                    name = Phrase.CONFIRM_CALLBACK_AGAIN if again else Phrase.CONFIRM_CALLBACK
                    return [say(name, digits=digits)]
                if again:
                    return [say(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=digits)]
                return [say(Phrase.CAN_TEXT_LINK), say(Phrase.CONFIRM_CALLER_ID, digits=digits)]
            case Ask.ASK_NUMBER:
                return self._number_question(ordering=ordering)
            case Ask.CONFIRM_NUMBER:
                return [say(Phrase.CONFIRM_NUMBER, digits=say_phone(state.candidate))]
            case Ask.KEYS:
                link = [say(Phrase.PRESS_FOR_LINK)] if self.can_link else []
                return link + ([say(Phrase.PRESS_FOR_MESSAGE)] if self.can_message else [])
            case Ask.OFFER_LINK:
                return [say(Phrase.CAN_TEXT_LINK), say(Phrase.LIKE_THAT)]
            case Ask.OFFER_MESSAGE:
                return [say(Phrase.CAN_TAKE_MESSAGE), say(Phrase.LIKE_THAT)]
            case Ask.CHECK_FACT:
                fact = self.scene.restaurant.fact(state.fact)
                return [say(Phrase.CHECK_FACT, question=fact.asked[0])] if fact else []
            case Ask.ASK_DETAILS:
                kind = self.scene.restaurant.message_kind(state.agenda[0].kind)
                return [wording.owners_question(kind)] if kind else []
            case Ask.ASK_WHEN:
                return [say(_when_question(state.agenda[0].when))]
            case Ask.HELP if self.before.asked is Ask.MORE:
                return [say(Phrase.WHAT_ELSE)]
            case Ask.OFFER_RELAY if not again and say(Phrase.DONT_KNOW) not in self.sentences:
                return [say(Phrase.OFFER_RELAY_LATER)]
            case Ask.WORKING:
                return [say(Phrase.STILL_WORKING)]
            case _:
                return [say(_PLAIN[ask])]

    def _number_question(self, *, ordering: bool) -> list[Sentence]:
        say = wording.phrase
        digits = self.state.digits
        if len(digits) == 7:
            return [say(Phrase.ASK_AREA_CODE, digits=say_phone(digits))]
        if digits:
            return [say(Phrase.ASK_REST, digits=say_phone(digits))]
        if not ordering:
            return [say(Phrase.ASK_CALLBACK)]
        if self.state.refusals:
            return [say(Phrase.ASK_OTHER_NUMBER)]
        lead = [] if self.before.agenda else [say(Phrase.CAN_TEXT_LINK)]
        return [*lead, say(Phrase.ASK_NUMBER)]


def _when_question(known: When | None) -> Phrase:
    if known is None:
        return Phrase.ASK_WHEN
    if known.closed:
        return Phrase.ASK_OTHER_DAY
    if known.shut:
        return Phrase.ASK_OTHER_TIME
    return Phrase.ASK_DAY if known.day is None else Phrase.ASK_TIME


_PLAIN = {
    Ask.HELP: Phrase.HOW_CAN_I_HELP,
    Ask.MORE: Phrase.ANYTHING_ELSE,
    Ask.HELP_HERE: Phrase.HELP_HERE,
    Ask.OFFER_RESEND: Phrase.OFFER_RESEND,
    Ask.OFFER_RELAY: Phrase.OFFER_RELAY,
    Ask.ASK_SIZE: Phrase.ASK_SIZE,
    Ask.ASK_NAME: Phrase.ASK_NAME,
}
