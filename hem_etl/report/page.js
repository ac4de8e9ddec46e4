const make = (name, parts = {}) => Object.assign(document.createElement(name), parts);

for (const table of document.querySelectorAll("table.sorts")) {
  table.querySelectorAll("thead th").forEach((head, place) => {
    const value = row => row.cells[place].dataset.v ?? row.cells[place].textContent;
    const button = make("button", {type: "button"});
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      }));
    };
  });
}

for (const choice of document.querySelectorAll(".choice")) {
  const parts = [...choice.children];
  if (parts.length < 2) continue;
  const list = make("select");
  for (const part of parts) list.append(make("option", {textContent: part.firstChild.textContent}));
  const step = (text, by) => make("button", {type: "button", textContent: text, onclick: () => show(list.selectedIndex + by)});
  const earlier = step(choice.dataset.earlier, 1);
  const later = step(choice.dataset.later, -1);
  const show = place => {
    parts.forEach((part, each) => part.open = each === place);
    list.selectedIndex = place;
    earlier.disabled = place === parts.length - 1;
    later.disabled = place === 0;
  };
  list.onchange = () => show(list.selectedIndex);
  parts.forEach((part, place) => part.addEventListener("toggle", () => {
    if (part.open && list.selectedIndex !== place) show(place);
  }));
  const label = make("label");
  label.append(choice.dataset.name, " ", list);
  const bar = make("p", {className: "bar"});
  bar.append(label, earlier, later);
  choice.prepend(bar);
  choice.classList.add("on");
  show(0);
}

const follow = () => {
  const goal = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = goal; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  goal?.scrollIntoView();
};
addEventListener("hashchange", follow);
follow();
