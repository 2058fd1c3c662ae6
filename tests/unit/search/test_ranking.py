"""One list by words, and several lists fused into one."""

from copilot.search.ranking import fused, ranked


def test_texts_are_ranked_by_the_words_they_share_with_the_query() -> None:
    texts = [
        ("image", "ImagePullBackOff: manifest unknown"),
        ("oom", "container OOMKilled with exit code 137"),
        ("loop", "container in CrashLoopBackOff"),
    ]

    hits = ranked("oom killed container", texts)

    assert [key for key, _ in hits] == ["oom", "loop"]


def test_what_several_lists_agree_on_comes_first() -> None:
    hits = fused([["a", "b", "c"], ["c", "b", "d"], ["b", "x", "c"]])

    assert [key for key, _ in hits][:2] == ["b", "c"]


def test_first_in_every_list_is_one_and_in_no_list_is_not_there() -> None:
    assert fused([["a"], ["a", "b"]])[0] == ("a", 1.0)
    assert fused([]) == []
    assert fused([[], []]) == []


def test_a_key_that_a_list_repeats_counts_once() -> None:
    assert dict(fused([["a", "a", "b"]])) == dict(fused([["a", "b"]]))


def test_equal_hits_keep_the_order_in_which_they_were_met() -> None:
    assert [key for key, _ in fused([["a"], ["b"], ["c"]])] == ["a", "b", "c"]
