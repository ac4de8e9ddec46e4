document.querySelectorAll("table.sorts").forEach(t=>{const b=t.tBodies[0];t.querySelectorAll("thead th").forEach((h,i)=>{
const k=document.createElement("button");k.type="button";k.append(...h.childNodes);h.append(k);
k.onclick=()=>{const up=h.getAttribute("aria-sort")!=="ascending";t.querySelectorAll("th").forEach(o=>o.removeAttribute("aria-sort"));
h.setAttribute("aria-sort",up?"ascending":"descending");const v=r=>r.cells[i].dataset.v??r.cells[i].textContent;
b.append(...[...b.rows].sort((x,y)=>{const p=v(x),q=v(y);if(p===""||q==="")return(p==="")-(q==="");
const n=isNaN(p)||isNaN(q)?p.localeCompare(q):p-q;return up?n:-n}))}})});
addEventListener("hashchange",o);function o(){const d=document.getElementById(decodeURIComponent(location.hash.slice(1)));for(let e=d;e;e=e.parentElement)if(e.tagName==="DETAILS")e.open=true;if(d)d.scrollIntoView()}o();
