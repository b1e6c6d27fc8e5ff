"""What follows from known bounds by interval arithmetic alone. Part of what is trusted.

Bounds are kept per *form* (a polynomial without its constant and common factor), so that a decision that an earlier
one implies costs neither a branch nor a certificate. ``None`` stands for no bound.
"""

from __future__ import annotations

from clearspec_proofs.lifting.polynomials import Form, Monomial, Polynomial, normalised

Interval = tuple[int | None, int | None]
EVERYTHING: Interval = (None, None)


def scaled(interval: Interval, factor: int) -> Interval:
    """``factor * interval``."""
    low, high = interval if factor >= 0 else (interval[1], interval[0])
    return (None if low is None else low * factor), (None if high is None else high * factor)


def total(left: Interval, right: Interval) -> Interval:
    """Bounds of a sum."""
    low = None if left[0] is None or right[0] is None else left[0] + right[0]
    high = None if left[1] is None or right[1] is None else left[1] + right[1]
    return low, high


def product(left: Interval, right: Interval) -> Interval:
    """Bounds of a product of two quantities, each with both bounds, or each with a lower bound of at least 0."""
    if None not in left and None not in right:
        corners = [one * other for one in left for other in right]  # type: ignore[operator]
        return min(corners), max(corners)
    if left[0] is not None and left[0] >= 0 and right[0] is not None and right[0] >= 0:
        return left[0] * right[0], None
    return EVERYTHING


def square(interval: Interval) -> Interval:
    """Bounds of the square of a quantity."""
    low, high = product(interval, interval)
    return (0 if low is None or low < 0 else low), high


def meet(left: Interval, right: Interval) -> Interval:
    """The bounds that both give."""
    lows = [value for value in (left[0], right[0]) if value is not None]
    highs = [value for value in (left[1], right[1]) if value is not None]
    return (max(lows) if lows else None), (min(highs) if highs else None)


def quotient(numerator: Interval, divisor: Interval) -> Interval:
    """Bounds of a floor quotient whose divisor is at least 1."""
    smallest = max(1, divisor[0] or 1)
    low, high = numerator
    if low is not None:
        low = low // smallest if low < 0 else (0 if divisor[1] is None else low // divisor[1])
    if high is not None:
        high = high // smallest if high >= 0 else (-1 if divisor[1] is None else high // divisor[1])
    return low, high


class Bounds:
    """Known bounds of forms."""

    def __init__(self) -> None:
        self.known: dict[Form, Interval] = {}
        self.excluded: set[tuple[Form, int]] = set()

    def of_monomial(self, monomial: Monomial) -> Interval:
        """Bounds of a product of atoms."""
        found = self.known.get(((monomial, 1),), EVERYTHING)
        if len(monomial) <= 1:
            return found
        half = len(monomial) // 2
        if len(monomial) % 2 == 0 and monomial[0::2] == monomial[1::2]:
            return meet(found, square(self.of_monomial(monomial[0::2])))
        return meet(found, product(self.of_monomial(monomial[:half]), self.of_monomial(monomial[half:])))

    def of_form(self, form: Form) -> Interval:
        """Bounds of a form: those known of itself, and those that its monomials give."""
        found: Interval = (0, 0)
        for monomial, coefficient in form:
            found = total(found, scaled(self.of_monomial(monomial), coefficient))
        return meet(found, self.known.get(form, EVERYTHING))

    def of(self, polynomial: Polynomial) -> Interval:
        """Bounds of a polynomial."""
        form, factor, rest = normalised(polynomial)
        return total(scaled(self.of_form(form), factor), (rest, rest))

    def exclude(self, polynomial: Polynomial) -> None:
        """Take note that a polynomial is not 0."""
        form, factor, rest = normalised(polynomial)
        if form and rest % factor == 0:
            self.excluded.add((form, -rest // factor))

    def is_excluded(self, polynomial: Polynomial) -> bool:
        """Whether a polynomial is known not to be 0, by what was noted or because no whole number makes it 0."""
        form, factor, rest = normalised(polynomial)
        return bool(form) and (rest % factor != 0 or (form, -rest // factor) in self.excluded)

    def apart(self) -> list[Polynomial]:
        """Polynomials that are known not to be 0."""
        return [{**dict(form), (): -value} if value else dict(form) for form, value in self.excluded]

    def learn(self, polynomial: Polynomial) -> None:
        """Take note that a polynomial is at least 0."""
        form, factor, rest = normalised(polynomial)
        if not form:
            return
        # factor * form >= -rest, and a form is a whole number.
        bound: Interval = (-(rest // factor), None) if factor > 0 else (None, rest // -factor)
        self.known[form] = meet(self.known.get(form, EVERYTHING), bound)
