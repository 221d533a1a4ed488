"""Sound events differ from each other; questions about sounds are true, balanced, and keep to their side of the split."""
from collections import Counter

import numpy as np
import pytest

from training.material import sound_synthesis
from training.material.clips import Clips, normalise
from training.material.mixtures import EVENTS, Events, blend_is_held_out, order_is_held_out
from training.material.sound_questions import NUMBERS, SoundQuestions
from training.material.sound_tools import Parameters
from training.material.sounds import SOUND_EVENTS
from training.material.splits import load_splits

RATE = 16000


def invented_clips():
    """Two clips of each event: the n-th event is a tone of 100 + 100 n Hz."""
    t = np.arange(RATE * 3 // 2) / RATE
    waves = [np.int16(9000 * np.sin(2 * np.pi * (100 + 100 * n) * t)) for n in range(len(EVENTS)) for _ in range(2)]
    index = [[i * len(t), len(t), EVENTS[i // 2]] for i in range(len(waves))]
    return np.concatenate(waves), index


def invented_words():
    rows = {w["word"]: [(i * 100, 8000)] for i, w in enumerate(load_splits()["words"])}
    return rows, np.int16(3000 * np.random.default_rng(0).standard_normal(8000 + 100 * len(rows)))


@pytest.fixture(scope="module", params=["train", "held_out"])
def questions(request):
    return SoundQuestions(request.param == "held_out", Events(request.param, invented_clips()), invented_words())


def loudest_event(wave):
    """The invented event whose tone is strongest."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    bins = [int(f * len(wave) / RATE) for f in 100 + 100 * np.arange(len(EVENTS))]
    return EVENTS[int(np.argmax([spectrum[b - 1 : b + 3].max() for b in bins]))]


def test_there_are_more_than_45_events_each_with_its_texts_and_recipe():
    assert len(EVENTS) == len(set(EVENTS)) >= 45
    assert load_splits()["sound_events"] == SOUND_EVENTS
    for event in EVENTS:
        wave = sound_synthesis.synthesise(event, 0, held_out=False)
        assert wave.dtype == np.int16 and np.abs(wave).max() > 20000 and RATE * 0.9 <= len(wave) <= RATE * 2.6, event
        assert np.array_equal(wave, sound_synthesis.synthesise(event, 0, held_out=False))
        assert not np.array_equal(wave[:RATE], sound_synthesis.synthesise(event, 0, held_out=True)[:RATE])


def test_parameters_of_training_stay_in_the_middle_and_those_held_out_in_the_tails():
    drawn = {kind: np.array([p(0, 1) for _ in range(2000)]) for kind, p in {
        "even": Parameters(np.random.default_rng(0), False), "edges": Parameters(np.random.default_rng(1), False, edges=True),
        "tails": Parameters(np.random.default_rng(2), True)}.items()}
    assert all(0.1 <= drawn[kind].min() and drawn[kind].max() <= 0.9 for kind in ("even", "edges"))
    assert not ((drawn["tails"] > 0.1) & (drawn["tails"] < 0.9)).any()
    outer = {kind: ((x < 0.2) | (x > 0.8)).mean() for kind, x in drawn.items()}
    assert outer["edges"] > 0.5 > 0.3 > outer["even"]


def spectral_summary(wave):
    """Log power in 32 bands: mean and spread over time, and how fast it changes."""
    frames = np.lib.stride_tricks.sliding_window_view(normalise(wave / 32768), 400)[::160] * np.hanning(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    edges = np.unique(np.geomspace(2, 257, 33).astype(int))
    bands = np.log(np.stack([power[:, a:b].mean(1) for a, b in zip(edges, edges[1:])], axis=1) + 1e-3)
    return np.r_[bands.mean(0), bands.std(0), np.abs(np.diff(bands, axis=0)).mean(0)]


def test_an_event_of_held_out_parameters_is_nearest_to_its_own_kind():
    learnt = [(e, spectral_summary(sound_synthesis.synthesise(e, i, False))) for e in EVENTS for i in range(8)]
    matrix = np.stack([f for _, f in learnt])
    spread = matrix.std(0)
    nearest = lambda wave: learnt[int(np.square((matrix - spectral_summary(wave)) / spread).sum(1).argmin())][0]
    right = [nearest(sound_synthesis.synthesise(e, i, True)) == e for e in EVENTS for i in range(2)]
    assert np.mean(right) > 0.7, np.mean(right)  # chance is 2 %; with 60 clips to learn from and better features it is 95 %


def test_sequences_and_blends_keep_to_their_side_of_the_split(questions):
    rng, events = np.random.default_rng(0), questions.events
    for _ in range(300):
        order, blend = events.order(3, rng), events.blend(rng)
        held_out = [order_is_held_out(a, b) for a, b in zip(order, order[1:])]
        assert held_out[0] if questions.held_out else not any(held_out)
        assert blend_is_held_out(*blend) == questions.held_out == blend_is_held_out(*blend[::-1])
    texts = set(events.texts())
    assert all(events.clip_with_text(4000, rng)[1] in texts for _ in range(100))


def test_the_right_candidate_is_what_is_heard(questions):
    rng = np.random.default_rng(1)
    for kind in ("heard", "first", "last", "after", "absent", "loudest"):
        for _ in range(8):
            q = questions.one(rng, 3, kind)
            answer = q.candidates[q.right]
            assert len(set(q.candidates)) == 4
            thirds = [loudest_event(part) for part in np.array_split(q.wave, 3)]
            if kind in ("heard", "loudest"):
                assert loudest_event(q.wave) == answer
            elif kind == "absent":
                assert answer not in thirds and set(q.candidates) == {answer, *thirds}
            else:
                asked = {"first": 0, "last": 2}.get(kind)
                assert answer == thirds[thirds.index(q.text[:-1].split("follows the ")[1]) + 1 if asked is None else asked]


def test_counted_hits_are_as_many_as_said(questions):
    rng = np.random.default_rng(2)
    for _ in range(30):
        q = questions.one(rng, 2, "count")
        loud = np.flatnonzero(np.abs(q.wave) > 0.5)
        onsets = [loud[0]]
        for at in loud:
            onsets += [at] if at - onsets[-1] > 0.14 * RATE else []  # hits are 160 ms apart or more, and shorter than 140
        assert NUMBERS[len(onsets) - 1] == q.candidates[q.right]


def test_every_place_among_the_candidates_is_as_likely_and_no_answer_is_favoured(questions):
    rng = np.random.default_rng(3)
    asked = [questions.one(rng, 2, kind) for kind in questions.kinds for _ in range(40)]
    places = Counter(q.right for q in asked)
    assert min(places[i] for i in range(4)) > 0.17 * len(asked)
    answers = Counter(q.candidates[q.right] for q in asked if q.kind == "count")
    assert max(answers.values()) < 16


def test_question_batches_have_one_length_and_unit_level(questions):
    waves, texts, candidates, right = questions.draw(5, np.random.default_rng(4))
    assert waves.shape in ((5, 2 * RATE), (5, 3 * RATE)) and len(texts) == len(candidates) == len(right) == 5
    assert abs(float(waves.var()) - 1) < 0.05


def test_training_clips_of_events_keep_their_tempo_and_pitch(monkeypatch):
    """Another tempo would carry them into the held-out parameter tails."""
    samples, index = invented_clips()
    word = load_splits()["words"][0]["word"]
    monkeypatch.setattr("training.material.speech.load", lambda name: (samples, [[0, 8000, word, "en-us", 160, 50]]))
    monkeypatch.setattr("training.material.sound_synthesis.load", lambda name: (samples, index))
    clips, rng = Clips({"sounds": 0.5, "mixtures": 0.5}), np.random.default_rng(5)
    said = []
    for _ in range(30):
        wave, row = clips.pick(rng, RATE)
        text = clips.texts[row][0]
        said.append(" and " in text or " then " in text)
        names = {t: e["name"] for e in SOUND_EVENTS for t in e["texts"]}
        if text in names and not said[-1]:
            assert loudest_event(wave) == names[text]
    assert any(said) and not all(said)
    assert not any(order_is_held_out(*text.split(" then ")) for text, _ in clips.texts if " then " in text)
