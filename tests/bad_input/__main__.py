"""Prints the whole catalogue of bad input as a table: ``python -m tests.bad_input``."""

from __future__ import annotations

from tests.bad_input import catalogue


def main() -> None:
    """One row a case: its number, kind, name, what is wrong, and what the refusal shows."""
    print("| # | Kind | Case | What is wrong | The message shows |\n|---|---|---|---|---|")
    for number, (kind, case) in enumerate(catalogue(), start=1):
        cells = (kind, case.id, case.wrong, "; ".join(case.shows))
        shown = (cell.replace("|", "\\|").encode("unicode_escape").decode("ascii") for cell in cells)
        print(f"| {number} | " + " | ".join(shown) + " |")


if __name__ == "__main__":
    main()
