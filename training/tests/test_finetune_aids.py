"""The aids of fine-tuning: what scenes show, what texts say, what is asked of attention and pooling, what is no wrong answer."""
import numpy as np
import pytest
import torch

from training.finetune_aids import Compared, Shown, comparing_loss, pooling_loss, spread, words_meant
from training.finetune_batches import SceneBatches, padded
from training.finetune_labels import COLOUR_NAMES, Said, found_by_words, held_out_answers, related, shown_in_patches
from training.material.objects import RELATIONS, colour_is_held_out
from training.material.paths import BPE
from training.material.phrases import holds
from training.material.questions import ANSWERS, OBJECT_NAMES, PictureQuestions
from training.material.scenes import Scenes
from training.onepeace.tokenizer import Tokenizer
from training.tests.test_material import invented_sprites


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(BPE)


@pytest.fixture(scope="module")
def questions():
    return PictureQuestions(Scenes(invented_sprites()))


def labels(tokenizer, question, answer=None):
    ids = padded(tokenizer, [question.text])
    said = Said(tokenizer)(ids)
    return {"ids": ids, **said, **found_by_words(said, [question.scene], [answer])}


def test_each_object_has_one_patch_that_holds_its_centre(questions):
    scene = questions.one(np.random.default_rng(0), 128, "total").scene
    centres = shown_in_patches(scene)["centres"]
    assert sorted(centres[centres > 0].tolist()) == sorted(1 + OBJECT_NAMES.index(t.name) for t in scene.things)


def test_a_word_within_a_longer_one_is_not_said(tokenizer):
    said = Said(tokenizer)(padded(tokenizer, ["how many sunflowers are there?", "is the hat above the carrot?"]))["said_names"]
    assert [[OBJECT_NAMES[i - 1] for i in row if i > 0] for row in said.tolist()] == [["sunflower"], ["hat", "carrot"]]


@pytest.mark.parametrize("kind", ["count", "total", "exists"])
def test_words_count_what_they_name(tokenizer, questions, kind):
    for seed in range(6):
        question = questions.one(np.random.default_rng(seed), 96, kind)
        counts = labels(tokenizer, question)["found_counts"]
        (count,) = counts[counts >= 0].tolist()
        assert (count > 0) == (question.answer == "yes") if kind == "exists" else count == int(question.answer)


def test_the_word_for_a_side_finds_the_answer_and_nothing_where_the_answer_is_no_object(tokenizer, questions):
    question = questions.one(np.random.default_rng(1), 96, "beside")
    answer = next(t for t in question.scene.things if t.name == question.answer)
    found = labels(tokenizer, question, answer)
    at = found["said_sides"][0] > 0
    assert found["found_names"][0][at].tolist() == [1 + OBJECT_NAMES.index(question.answer)]
    assert torch.allclose(found["found_frames"][0][at], torch.tensor(answer.box, dtype=torch.float32))
    side = labels(tokenizer, questions.one(np.random.default_rng(1), 96, "side"))
    assert (side["said_sides"] > 0).sum() == 2 and (side["found_names"][side["said_sides"] > 0] == -1).all()


def test_what_is_to_be_compared_is_the_first_and_the_last_word_and_the_side(tokenizer, questions):
    question = questions.one(np.random.default_rng(2), 96, "relation")
    found = labels(tokenizer, question)
    first, middle, last = words_meant(found)
    x, _, y = question.words
    said = found["said_names"]
    assert said[first].tolist() == [1 + OBJECT_NAMES.index(x)] and said[last].tolist() == [1 + OBJECT_NAMES.index(y)]
    assert (found["said_sides"][middle] > 0).all()
    right = torch.full((1, said.shape[1], 6), 1e-6)  # weights of pooling: two heads on each of the three
    for heads, meant in zip((slice(0, 2), slice(2, 4), slice(4, 6)), (first, middle, last)):
        right[..., heads][meant] = 1
    assert comparing_loss(right.log(), found) < 0.01 < comparing_loss(right.flip(2).log(), found)


def test_pooling_on_nothing_meant_has_no_loss():
    assert pooling_loss(torch.zeros(2, 5, 3), torch.zeros(2, 5, dtype=torch.bool)) == 0


def test_a_relation_is_told_from_what_surely_does_not_hold(questions):
    question = questions.one(np.random.default_rng(3), 96, "side")
    x, y = (next(t for t in question.scene.things if t.name == question.words[i]) for i in (0, 2))
    truth = related(question.words, question.scene)
    assert [v == 1 for v in truth.tolist()] == [holds(x, r, y) for r in RELATIONS] and (truth == 1).sum() >= 1
    assert (related((), question.scene) == -1).all()
    aid = Compared(8)
    assert aid.loss(torch.randn(1, 8), truth[None]) > 0 and aid.loss(torch.randn(1, 8), torch.full((1, 4), -1.0)) == 0


def test_counting_attention_is_right_when_it_is_even_over_cls_and_the_centres(tokenizer, questions):
    question = next(q for q in (questions.one(np.random.default_rng(s), 96, "count") for s in range(20)) if q.answer == "3")
    found = {k: v for k, v in labels(tokenizer, question).items()}
    found["centres"] = shown_in_patches(question.scene)["centres"][None]
    match = found["centres"][0] == found["said_names"].max()
    assert match.sum() == 3
    even = torch.full((1, found["ids"].shape[1], 1 + len(match)), 1e-9)
    even[..., 0] = even[..., 1:][..., match] = 0.25
    assert abs(float(spread(-even.log(), found))) < 1e-4
    even[..., 0], even[..., 1:][..., match] = 0.7, 0.1
    assert spread(-even.log(), found) > 0.1


def test_compositions_that_are_held_out_are_no_wrong_answers(questions):
    for seed in range(8):
        question = questions.one(np.random.default_rng(seed), 96, "which")
        out = held_out_answers(question)
        named = [OBJECT_NAMES[i] for i in range(len(OBJECT_NAMES)) if out[ANSWERS.index(OBJECT_NAMES[i])]]
        assert named == [n for n in OBJECT_NAMES if colour_is_held_out(question.words[0], n)] and question.answer not in named
    assert not held_out_answers(questions.one(np.random.default_rng(0), 96, "relation")).any()


def test_a_patch_of_a_colour_says_nothing_against_names_that_are_held_out_with_it():
    torch.manual_seed(0)
    shown, colour = Shown(16), 0
    out = [i for i, n in enumerate(OBJECT_NAMES) if colour_is_held_out(COLOUR_NAMES[colour], n)]
    name = next(i for i in range(len(OBJECT_NAMES)) if i not in out)
    shown.told(torch.randn(1, 2, 16), torch.tensor([[1 + name]]), torch.tensor([[1 + colour]]), about_colours=False).backward()
    gradient = shown.names.bias.grad
    assert (gradient[[1 + i for i in out]] == 0).all() and (gradient != 0).sum() == 1 + len(OBJECT_NAMES) - len(out)


def test_tones_are_drawn_for_objects_without_colour_only_and_leave_other_scenes_as_they_were():
    toned, plain = Scenes(invented_sprites(), toned=1.0), Scenes(invented_sprites())
    things = [t for seed in range(6) for t in toned.draw(np.random.default_rng(seed), 96).things]
    assert all(t.toned == (t.colour is None) for t in things) and any(t.toned for t in things)
    assert not any(t.toned for seed in range(6) for t in plain.draw(np.random.default_rng(seed), 96).things)
    assert (shown_in_patches(toned.draw(np.random.default_rng(0), 96, [("dog", None, "big")]))["colours"] == -1).all()


def test_labels_of_a_batch_fit_each_other(tokenizer):
    draw = SceneBatches(tokenizer, 4, 96, Scenes(invented_sprites()), {"picture-qa": 2, "pair-reasoning": 1})
    batch = draw(np.random.default_rng(0))
    for task in batch.values():
        rows, tokens = task["ids"].shape
        assert task["meant"].shape == task["names"].shape == task["centres"].shape == (rows, 36)
        assert task["found_counts"].shape == task["said_all"].shape == (rows, tokens) and task["related"].shape == (rows, 4)
    assert (batch["pair-reasoning"]["said_sides"] == -1).all()
