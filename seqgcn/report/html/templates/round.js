"use strict";
// Picks are details elements that work without this. It lights up the map, and adds arrow keys and Escape.
(() => {
  const picks = [...document.querySelectorAll("details.pick")];
  const map = document.getElementById("map");
  const said = document.getElementById("said");
  const list = document.getElementById("far"); // of the picks that are on the map but not in the sheet
  const hint = said ? said.textContent : "";
  const marks = ["own", "near", "chosen"];
  let far; // the dot of one of these that is shown

  const mark = (name, selector) => {
    for (const dot of map.querySelectorAll(selector)) dot.classList.add(name);
  };

  const light = (pick) => {
    if (!map) return;
    for (const dot of map.querySelectorAll(".own, .near, .chosen")) dot.classList.remove(...marks);
    map.classList.toggle("lit", Boolean(pick));
    said.textContent = pick ? pick.dataset.said : hint;
    if (!pick) return;
    mark("own", `[data-by="${pick.dataset.rank}"]`);
    for (const item of pick.dataset.near.split(" ")) if (item) mark("near", `#n${item}`);
    mark("chosen", `#n${pick.dataset.item}`);
    map.append(...map.querySelectorAll(".chosen")); // on top of the others
  };

  const choose = (pick) => {
    for (const other of picks) if (other !== pick) other.open = false;
    if (!pick) return;
    pick.open = true;
    pick.querySelector("summary").focus({ preventScroll: true });
    pick.scrollIntoView({ block: "nearest" });
  };

  const setFar = (dot) => {
    far = dot;
    if (list) list.value = dot ? dot.id : "";
  };

  const chooseFar = (dot) => {
    setFar(dot);
    choose();
    light(far);
  };

  if (list) {
    list.closest("[hidden]").hidden = false;
    list.addEventListener("change", () => chooseFar(document.getElementById(list.value) ?? undefined));
  }

  for (const pick of picks) {
    pick.addEventListener("toggle", () => {
      if (pick.open) setFar();
      if (pick.open) for (const other of picks) if (other !== pick) other.open = false;
      light(picks.find((each) => each.open) ?? far);
    });
  }

  // The pick that is next to one in a direction, by the places on the screen.
  const beside = (pick, key) => {
    const at = picks.indexOf(pick);
    if (key === "ArrowLeft") return picks[at - 1];
    if (key === "ArrowRight") return picks[at + 1];
    if (key === "Home") return picks[0];
    if (key === "End") return picks[picks.length - 1];
    const place = (each) => each.querySelector("summary").getBoundingClientRect();
    const here = place(pick);
    const way = key === "ArrowDown" ? 1 : -1;
    const distance = (each) => {
      const there = place(each);
      const down = way * (there.top - here.top);
      return down > 1 ? 10 * down + Math.abs(there.left - here.left) : Infinity;
    };
    const nearest = picks.reduce((best, each) => (distance(each) < distance(best) ? each : best), pick);
    return nearest === pick ? undefined : nearest;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const open = picks.find((each) => each.open);
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
      return;
    }
    if (event.key === "Escape" && far) chooseFar();
    const pick = event.target.closest?.("details.pick > summary")?.parentElement;
    if (!pick || !/^(Arrow|Home$|End$)/.test(event.key)) return;
    event.preventDefault();
    const next = beside(pick, event.key);
    if (!next) return;
    if (open) choose(next);
    else next.querySelector("summary").focus();
  });

  document.addEventListener("click", (event) => {
    const dot = event.target.closest?.("#map .picked");
    const link = event.target.closest?.("a[href^='#pick-'], a[href^='#n']");
    const pick = picks[dot?.dataset.by - 1];
    if (pick) choose(pick);
    else if (dot) chooseFar(dot === far ? undefined : dot); // a second click clears, as in the sheet
    if (!link) return;
    event.preventDefault();
    const target = document.querySelector(link.getAttribute("href"));
    if (target.matches("details")) choose(target);
    else {
      chooseFar(target);
      for (const each of [map, list]) each.scrollIntoView({ block: "nearest" });
      list.focus({ preventScroll: true });
    }
  });
})();
