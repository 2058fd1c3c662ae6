"""Kubernetes resource quantities: text to bytes or millicores and back.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from copilot.domain.errors import Invalid

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}


def parse_bytes(text: str) -> int:
    """Bytes of a memory quantity such as `32Mi`, `1G`, `1500`, `1e9` or `500m`.

    Raises:
        Invalid: it is not a quantity.
    """
    for suffix, factor in (_BINARY | _DECIMAL).items():
        if text.endswith(suffix) and text.removesuffix(suffix):
            return round(_number(text.removesuffix(suffix), text) * factor)
    if text.endswith("m"):
        return round(_number(text.removesuffix("m"), text) / 1000)
    return round(_number(text, text))


def parse_millicores(text: str) -> int:
    """Thousandths of a core of a CPU quantity such as `250m`, `1` or `0.5`.

    Raises:
        Invalid: it is not a quantity.
    """
    if text.endswith("m"):
        return round(_number(text.removesuffix("m"), text))
    return round(_number(text, text) * 1000)


def format_bytes(count: int) -> str:
    """The shortest exact binary quantity: 67108864 is `64Mi`."""
    for suffix, factor in reversed(_BINARY.items()):
        if count and count % factor == 0:
            return f"{count // factor}{suffix}"
    return str(count)


def humanise_bytes(count: float) -> str:
    """For people, one decimal at most: 50331648 is `48Mi`, 33554432.5 is `32Mi`."""
    for suffix, factor in reversed(_BINARY.items()):
        if count >= factor:
            return f"{count / factor:.1f}".removesuffix(".0") + suffix
    return str(round(count))


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Invalid(f"{whole!r} is not a Kubernetes quantity") from None
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124
        raise Invalid(f"{whole!r} is not a Kubernetes quantity")
    return number
