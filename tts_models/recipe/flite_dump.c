/* Dump what CMU Flite's voice cmu_us_slt is about to vocode, sentence by sentence.

   flite_dump info    prints the voice's vocoder constants as JSON
   flite_dump         stdin: one sentence a line; stdout: one record each (little-endian):
                        int32 frames | float32[frames][26] F0 (Hz, 0: unvoiced), 25 mel-cepstra
                        | float32[frames][5] strengths of the mixed excitation's bands
                        | int32 phones | phones x char[8] name
                        | int32 states | states x float32 end in seconds, three a phone
                        | int32 samples | int16[samples] 16 kHz
   flite_dump fast    the same with samples = 0: Flite's own synthesis is made cheap

   A frame is 5 ms. "param_track" holds the values before maximum-likelihood parameter
   generation; mlpg() is what Flite itself calls next, so its result is what is heard. */
#include <flite/cst_cg.h>
#include <flite/flite.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

cst_voice *register_cmu_us_slt(const char *);

static void print_constants(const cst_cg_db *db)
{
    printf("{\"rate\": %d, \"alpha\": %g, \"beta\": %g, \"gain\": %g, \"filters\": [",
           db->sample_rate, db->mlsa_alpha, db->mlsa_beta, db->gain);
    for (int band = 0; band < db->ME_num; band++) {
        printf("%s[", band ? ", " : "");
        for (int tap = 0; tap < db->ME_order; tap++)
            printf("%s%.9g", tap ? ", " : "", db->me_h[band][tap]);
        printf("]");
    }
    printf("]}\n");
}

static void write_count(int32_t count) { fwrite(&count, sizeof count, 1, stdout); }

static void dump(cst_utterance *said, cst_cg_db *db, int with_samples)
{
    cst_track *strengths = val_track(feat_val(said->features, "str_track"));
    cst_track *frames = mlpg(val_track(feat_val(said->features, "param_track")), db);
    cst_item *segments = relation_head(utt_relation(said, "Segment"));
    cst_item *states = relation_head(utt_relation(said, "HMMstate"));
    cst_wave *wave = utt_wave(said);
    int32_t phones = 0, parts = 0;

    write_count(frames->num_frames);
    for (int at = 0; at < frames->num_frames; at++)
        fwrite(frames->frames[at], sizeof(float), 26, stdout);
    for (int at = 0; at < frames->num_frames; at++)
        fwrite(strengths->frames[at], sizeof(float), 5, stdout);
    for (cst_item *phone = segments; phone; phone = item_next(phone))
        phones++;
    write_count(phones);
    for (cst_item *phone = segments; phone; phone = item_next(phone)) {
        char name[8] = {0};
        strncpy(name, item_feat_string(phone, "name"), 7);
        fwrite(name, 1, 8, stdout);
    }
    for (cst_item *state = states; state; state = item_next(state))
        parts++;
    write_count(parts);
    for (cst_item *state = states; state; state = item_next(state)) {
        float end = item_feat_float(state, "end");
        fwrite(&end, sizeof end, 1, stdout);
    }
    write_count(with_samples ? wave->num_samples : 0);
    if (with_samples)
        fwrite(wave->samples, sizeof(short), wave->num_samples, stdout);
    delete_track(frames);
}

int main(int count, char **arguments)
{
    char line[4096];
    int fast = count > 1 && !strcmp(arguments[1], "fast");
    flite_init();
    cst_voice *voice = register_cmu_us_slt(NULL);
    cst_cg_db *db = val_cg_db(feat_val(voice->features, "cg_db"));

    if (count > 1 && !strcmp(arguments[1], "info")) {
        print_constants(db);
        return 0;
    }
    if (fast)
        feat_set_int(voice->features, "mlsa_speed_param", 20);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        cst_utterance *said = flite_synth_text(line, voice);
        dump(said, db, !fast);
        delete_utterance(said);
    }
    return 0;
}
