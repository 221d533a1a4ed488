"""Sound questions as training sees them: what is heard in which frame, what a candidate finds, where pooling looks."""
import numpy as np
import pytest
import torch

from training.finetune_batches import SoundBatches, padded
from training.finetune_sound_aids import Heard, answer_loss, listening_loss
from training.finetune_sound_labels import HOP, LABELS, heard_in_frames, said_in_text
from training.finetune_sound_reader import Reading, read, set_apart
from training.finetune_sound_start import start_with_words
from training.material.clips import normalise
from training.material.mixtures import Events, order_is_held_out
from training.material.paths import BPE
from training.material.sound_questions import NUMBERS, SoundQuestions
from training.nano import smoke_config
from training.onepeace.heads import FineTuned, Head, head_config
from training.onepeace.tokenizer import Tokenizer
from training.tests.test_material_sounds import invented_clips, invented_words


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(BPE)


@pytest.fixture(scope="module")
def questions():
    return SoundQuestions(False, Events("train", invented_clips()), invented_words())


def test_frames_say_what_is_heard_and_the_middle_of_each_event(questions):
    question = questions.one(np.random.default_rng(0), 3, "first")
    found = heard_in_frames(question)
    assert found["names"][10] == LABELS[question.words[0]] and found["names"][-10] == LABELS[question.words[-1]]
    assert found["centres"][found["centres"] > 0].tolist() == [LABELS[w] for w in question.words]
    quiet = heard_in_frames(questions.one(np.random.default_rng(0), 3, "heard"))
    assert (quiet["names"] == 0).any() and (quiet["names"] > 0).sum() > 0.4 * len(quiet["names"])
    loud = questions.one(np.random.default_rng(0), 2, "loudest")
    assert set(heard_in_frames(loud)["names"].tolist()) == {LABELS[loud.words[0]]}


def test_a_candidate_says_whether_when_and_how_often_it_is_heard(questions, tokenizer):
    question = questions.one(np.random.default_rng(1), 3, "first")
    for candidate in question.candidates:
        said = said_in_text(tokenizer, question, candidate, 24)
        at = int((said["said_names"] > 0).nonzero())
        heard = candidate in question.words
        assert said["said_names"][at] == LABELS[candidate] and said["found_counts"][at] == heard == said["found_order"][at, 0]
        if heard:
            assert bool(said["found_order"][at, 1]) == (candidate == question.candidates[question.right])
            assert abs(float(said["found_spans"][at, 1] - said["found_spans"][at, 0]) - 1 / len(question.words)) < 0.01


def test_hits_are_counted_by_the_word_for_them_and_what_follows_is_named_twice(questions, tokenizer):
    count = questions.one(np.random.default_rng(2), 3, "count")
    said = said_in_text(tokenizer, count, count.candidates[0], 24)
    assert said["found_counts"].max() == 1 + NUMBERS.index(count.candidates[count.right])
    assert int((heard_in_frames(count)["centres"] > 0).sum()) == said["found_counts"].max()
    after = questions.one(np.random.default_rng(2), 3, "after")
    said = said_in_text(tokenizer, after, after.candidates[after.right], 24)
    first, answer = said["said_names"][said["said_names"] > 0].tolist()
    assert answer == LABELS[after.candidates[after.right]] and LABELS[after.words[0]] in (first, *map(LABELS.get, after.words))


def test_no_candidate_would_make_a_held_out_sequence(questions):
    for seed in range(30):
        question = questions.one(np.random.default_rng(seed), 3, "after")
        first = question.text[len("which sound follows the ") : -1]
        assert not any(order_is_held_out(first, candidate) for candidate in question.candidates)


def test_batches_hold_four_candidates_of_each_sound_and_labels_of_both(questions, tokenizer):
    batch = SoundBatches(tokenizer, 5, questions)(np.random.default_rng(0))["sound-qa"]
    assert len(batch["ids"]) == 4 * len(batch["waves"]) == 4 * len(batch["names"]) and batch["right"].max() < 4
    assert batch["names"].shape[1] == batch["waves"].shape[1] // HOP
    weights = torch.full((*batch["ids"].shape, 6), 1e-6)
    answer = torch.arange(len(weights)), batch["lengths"] - 1
    weights[answer[0], answer[1], 3:] = 1
    first = (batch["said_names"] > 0).long()
    first = torch.where(first.any(1), first.argmax(1), batch["lengths"] - 1)
    weights[answer[0], first, :3] = 1
    assert answer_loss(weights.log(), batch) < 0.01 < answer_loss(weights.flip(2).log(), batch) + 0.02


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    head = Head("aqa", "al", 1)
    model = FineTuned(head_config(smoke_config(tokenizer.vocab_size, head_type="al"), head, 32), head)
    for table in (*model.encoder_wrapper.text_adapter.rel_pos_table_list, *model.encoder_wrapper.audio_adapter.rel_pos_table_list):
        torch.nn.init.normal_(table.weight)
    return model


def test_reading_a_sound_is_the_official_pass_once_both_are_set_apart(model, tokenizer):
    ids, waves = padded(tokenizer, ["which sound? answer: bell", "which sound is it? answer: siren", "a", "b c"]), torch.randn(2, 8000)
    joint = lambda: model.encoder_wrapper({"text": (ids,), "audio": (waves.repeat_interleave(2, 0), None)})["text"]
    without_padding = ~torch.nn.functional.pad(ids.eq(1), (1, 0))
    model.eval()
    with torch.no_grad():
        unlike = read(model.encoder_wrapper, ids, waves).text - joint()
        set_apart(model.encoder_wrapper)
        alike = read(model.encoder_wrapper, ids, waves).text - joint()
    assert unlike[without_padding].abs().max() > 0.05 > 0.01 > alike[without_padding].abs().max()


def test_setting_apart_twice_is_as_once(model):
    set_apart(model.encoder_wrapper)
    once = {k: v.clone() for k, v in model.encoder_wrapper.state_dict().items()}
    set_apart(model.encoder_wrapper)
    assert all(torch.allclose(v, once[k], atol=1e-5) for k, v in model.encoder_wrapper.state_dict().items())


def test_words_should_listen_to_the_frames_of_what_they_name_or_to_cls(questions, tokenizer):
    batch = SoundBatches(tokenizer, 6, questions)(np.random.default_rng(1))["sound-qa"]
    texts, frames = 1 + batch["ids"].shape[1], batch["names"].shape[1]
    names = batch["names"].repeat_interleave(4, 0)
    match = (names[:, None] == batch["said_names"][..., None]) & (batch["said_names"] > 0)[..., None]
    right = torch.full((len(names), 6, texts, texts + 1 + frames), 1e-6)
    for head in (0, 1):  # of events and hits, of words
        right[:, head, 1:, texts + 1:][match] = 1
        right[:, head, 1:, texts][~match.any(2)] = 1
    right = (right / right.sum(-1, keepdim=True)).log()
    wrong = torch.full_like(right, 1 / right.shape[-1]).log()
    assert listening_loss(right, batch) < 0.7 * listening_loss(wrong, batch)


def test_heard_learns_from_frames_and_words(questions, tokenizer):
    torch.manual_seed(0)
    batch = SoundBatches(tokenizer, 3, questions)(np.random.default_rng(0))["sound-qa"]
    heard, (rows, words), frames = Heard(16), batch["ids"].shape, batch["names"].shape[1]
    text, sound = (lambda: torch.randn(rows, 1 + words, 16)), (lambda: torch.randn(rows // 4, 1 + frames, 16))
    loss = heard.loss(Reading(text(), [text(), text()], [sound(), sound()], []), batch)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is not None and torch.isfinite(p.grad).all() for p in heard.parameters())


def test_words_begin_with_what_frames_and_texts_say_already(model, questions, tokenizer):
    """One word is spoken high, another low: closed form finds them by frames and by text, and the one by the other."""
    few = dict(list(questions.words.items())[:2])
    rng = np.random.default_rng(0)
    pitch = lambda hz: np.int16(8000 * np.sin(2 * np.pi * hz / 16000 * np.arange(8000)) + rng.normal(0, 300, 8000))
    spoken = SoundQuestions(False, questions.events, ({word: [(8000 * i, 8000)] for i, word in enumerate(few)},
                                                      np.concatenate([pitch(300), pitch(4000)])))
    aid = Heard(32)
    start_with_words(model, aid, spoken, tokenizer, times=12, batch=8)
    names = torch.tensor([LABELS[word.lower()] for word in few])
    ids = padded(tokenizer, [f"which word is spoken? answer: {word.lower()}" for word in few] * 2)
    waves = np.stack([normalise(spoken.spoken(word, 16000, rng)[0]) for word in few]).astype(np.float32)
    found = read(model.encoder_wrapper, ids, torch.from_numpy(waves))
    last = torch.arange(4), ids.ne(1).sum(1) - 1
    assert aid.names(aid.norms[0](found.words[0]))[last].argmax(-1).tolist() == names.repeat(2).tolist()
    frames = aid.names(aid.norms[0](found.frames[0][:, 1:])).argmax(-1)
    assert all((row == name).float().mean() > 0.3 for row, name in zip(frames, names))
