"""The page of all parts: which are well, what is wrong with those that are not, where they are."""

from collections.abc import Sequence

import streamlit as st

from parivision.web.parts import SystemPart, health_of


def draw(parts: Sequence[SystemPart]) -> None:
    """Draw it; every run asks anew."""
    st.title("Every part")
    found = health_of(parts)
    ill = [one for one in found if not one.is_well]
    if ill:
        st.error(f"{len(ill)} of {len(found)} parts: " + "; ".join(one.part.name for one in ill))
    else:
        st.success("All parts answer.")
    for one in found:
        with st.container(border=True):
            mark = "✅ well" if one.is_well else "❌ down"
            name = f"[{one.part.name}]({one.part.link})" if one.part.link else one.part.name
            st.markdown(f"**{name}** {mark}")
            # No markdown: it is what another program said.
            st.text(f"{one.part.about}. {one.said}.")
    st.button("Ask again")
