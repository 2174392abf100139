from antiphon.durable.ids import RunIds


def test_executions_give_the_same_ids() -> None:
    first, second = RunIds("resp_1"), RunIds("resp_1")
    assert [first("msg"), first("rs", 12)] == [second("msg"), second("rs", 12)]


def test_ids_have_their_prefix_and_their_size_and_differ() -> None:
    ids = RunIds("resp_1")
    made = [ids("msg") for _ in range(100)]
    assert len(set(made)) == 100
    assert all(each.startswith("msg_") and len(each) == 54 for each in made)
    assert RunIds("resp_2")("msg") not in made


def test_the_response_has_its_own_id() -> None:
    ids = RunIds("resp_1")
    assert ids("resp") == "resp_1"
    assert ids("msg") == RunIds("resp_1")("msg"), "it isn't counted"


def test_a_branch_has_other_ids() -> None:
    ids, branched = RunIds("resp_1"), RunIds("resp_1")
    branched.branch("0 0")
    assert ids("msg") != branched("msg")
