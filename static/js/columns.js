// A map of many nodes comes as rows. Loaded with the first such map. Pure.

// Rows of values under a header become things with members; `#` before a name: its values are
// numbers of texts.
export function unfold({ columns, texts, nodes, edges, ...rest }) {
  if (!columns) return { ...rest, nodes, edges };
  const thing = (names) => {
    const members = names.map((name) => (name[0] === "#" ? [name.slice(1), (at) => (at === null ? null : texts[at])] : [name, name === "ends" ? (ends) => ends.map(end) : (value) => value]));
    return (row) => {
      const item = {};
      for (let i = 0; i < members.length; i += 1) item[members[i][0]] = members[i][1](row[i]);
      return item;
    };
  };
  const end = thing(columns.ends);
  return { ...rest, nodes: nodes.map(thing(columns.nodes)), edges: edges.map(thing(columns.edges)) };
}
