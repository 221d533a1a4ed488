"""Sound questions as training sees them: what is heard in which frame, what a candidate finds, where pooling looks."""
import numpy as np
import pytest
import torch

from training.finetune_batches import CANDIDATES, SoundBatches
from training.finetune_sound_aids import Heard, answer_loss
from training.finetune_sound_labels import HOP, LABELS, heard_in_frames, said_in_text
from training.material.mixtures import Events, order_is_held_out
from training.material.paths import BPE
from training.material.sound_questions import NUMBERS, SoundQuestions
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


def test_batches_hold_the_right_answer_among_few_and_labels_of_each_row(questions, tokenizer):
    batch = SoundBatches(tokenizer, 5, questions)(np.random.default_rng(0))["sound-qa"]
    assert len(batch["ids"]) == len(batch["names"]) == CANDIDATES * len(batch["waves"]) and batch["right"].max() < CANDIDATES
    assert batch["names"].shape[1] == batch["waves"].shape[1] // HOP
    weights = torch.full((*batch["ids"].shape, 6), 1e-6)
    answer = torch.arange(len(weights)), batch["lengths"] - 1
    weights[answer[0], answer[1], 3:] = 1
    first = (batch["said_names"] > 0).long()
    first = torch.where(first.any(1), first.argmax(1), batch["lengths"] - 1)
    weights[answer[0], first, :3] = 1
    assert answer_loss(weights.log(), batch) < 0.01 < answer_loss(weights.flip(2).log(), batch) + 0.02


def test_heard_learns_from_frames_and_words(questions, tokenizer):
    torch.manual_seed(0)
    batch = SoundBatches(tokenizer, 3, questions)(np.random.default_rng(0))["sound-qa"]
    heard, (rows, words), frames = Heard(16), batch["ids"].shape, batch["names"].shape[1]
    hidden = {"text": torch.randn(rows, 1 + words, 16), "audio": torch.randn(rows, 1 + frames, 16)}
    loss = heard.loss(hidden, torch.randn(rows, 2 + words + frames, 16), batch)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is not None and torch.isfinite(p.grad).all() for p in heard.parameters())
