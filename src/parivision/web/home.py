"""The page of all parts: which are well, what is wrong with those that are not, where they are."""

from collections.abc import Sequence

import streamlit as st

from parivision.web.parts import SystemPart, health_of


def draw(parts: Sequence[SystemPart]) -> None:
    """Draw it; every run asks anew."""
    st.title("Every part")
    healths = health_of(parts)
    ill = [health for health in healths if not health.is_well]
    if ill:
        st.error(
            f"{len(ill)} of {len(healths)} parts: " + "; ".join(health.part.name for health in ill)
        )
    else:
        st.success("All parts answer.")
    for health in healths:
        with st.container(border=True):
            mark = "✅ well" if health.is_well else "❌ down"
            name = (
                f"[{health.part.name}]({health.part.link})"
                if health.part.link
                else health.part.name
            )
            st.markdown(f"**{name}** {mark}")
            # No markdown: it is what another program said.
            st.text(f"{health.part.about}. {health.message}.")
    st.button("Ask again")
