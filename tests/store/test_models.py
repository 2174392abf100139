from antiphon.store import Store
from antiphon.store.models import RegisteredModel
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME


def model(name: str, model_type: str = "llm") -> RegisteredModel:
    return RegisteredModel(
        id=f"up/{name}",
        created_at=1.0,
        provider_id="up",
        provider_model_id=name,
        model_type=model_type,
        metadata='{"a": 1}',
    )


def test_models_come_back_as_they_were_stored_by_id(store: Store, run: Run) -> None:
    assert run(store.models.all(ME)) == []
    assert run(store.models.put(ME, model("b"), 2))
    assert run(store.models.put(ME, model("a"), 2))
    assert run(store.models.all(ME)) == [model("a"), model("b")]


def test_a_second_registration_replaces_the_first_also_at_the_limit(store: Store, run: Run) -> None:
    assert run(store.models.put(ME, model("a"), 1))
    assert run(store.models.put(ME, model("a", "embedding"), 1))
    assert run(store.models.all(ME)) == [model("a", "embedding")]


def test_the_limit_is_per_owner(store: Store, run: Run) -> None:
    assert run(store.models.put(ME, model("a"), 1))
    assert not run(store.models.put(ME, model("b"), 1))
    assert run(store.models.put("her", model("b"), 1))
    assert run(store.models.all(ME)) == [model("a")]
    assert run(store.models.all("her")) == [model("b")]


def test_another_server_of_the_database_has_the_models(open_store: OpenStore, run: Run) -> None:
    stores = open_store(), open_store()
    assert run(stores[0].models.put(ME, model("a"), 1))
    assert run(stores[1].models.all(ME)) == [model("a")]
