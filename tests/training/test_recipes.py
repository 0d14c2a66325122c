"""Recipes refuse nonsense by name, and take answers of an architecture."""

import pytest

from netwright.architecture import Architecture
from netwright.errors import InputError
from netwright.training import Recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", True),
        ("batch_size", 0),
        ("optimizer", "adam"),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("lr", "0.1"),
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("schedule", "step"),
        ("label_smoothing", 1.0),
        ("augment", "crop"),
        ("augment", ("rotate",)),
        ("padding", -1),
        ("cutout", 0.0),
        ("patience", 0),
        ("precision", "float16"),
        ("clip", 0.0),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field, value):
    """Whatever makes no sense raises InputError and names the field and the value."""
    with pytest.raises(InputError, match=rf"recipe\.{field} .*found"):
        Recipe(**{field: value})


def test_all_problems_are_told_at_once():
    """Two bad fields make one error that names both."""
    with pytest.raises(InputError, match=r"recipe\.epochs.*recipe\.lr"):
        Recipe(epochs=0, lr=-1.0)


def test_answers_named_recipe_replace_fields():
    """A decision named ``recipe.<field>`` replaces that field and no other."""
    recipe = Recipe(epochs=3, lr=0.1)
    assert Recipe(epochs=3, lr=0.5) == recipe.override(Architecture({"width": 16, "recipe.lr": 0.5}))


def test_an_architecture_without_answers_leaves_the_recipe_alone():
    """Without such decisions the recipe itself comes back."""
    recipe = Recipe()
    assert recipe.override(Architecture({"lr": 9.0})) is recipe


def test_an_unknown_field_names_the_closest_one():
    """``recipe.learning`` is no field; a typo is answered with the field that was meant."""
    with pytest.raises(InputError, match=r"no field 'optimiser'.*Did you mean 'optimizer'"):
        Recipe().override(Architecture({"recipe.optimiser": "sgd"}))


def test_a_bad_answer_is_refused_like_a_bad_value():
    """An override is validated too."""
    with pytest.raises(InputError, match=r"recipe\.lr"):
        Recipe().override(Architecture({"recipe.lr": -1.0}))


def test_json_goes_both_ways():
    """The value of a recipe makes an equal recipe."""
    recipe = Recipe.images(flip=False, padding=1, patience=3)
    assert recipe == Recipe(**recipe.to_value())


def test_digits_are_not_mirrored():
    """``flip=False`` leaves mirroring out, and generic images have it."""
    assert ("crop",) == Recipe.images(flip=False).augment
    assert ("crop", "flip") == Recipe.images().augment
