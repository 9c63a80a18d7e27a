// The door of the `weir` command. JavaScript, so that a Node too old to run TypeScript can still say what it lacks.
const [major] = process.versions.node.split('.');

if (Number(major) < 24) {
  console.error(
    `weir: needs Node 24 or newer, this is ${process.versions.node}; \`npm ci\` installs one that \`npx weir\` uses`,
  );
  process.exit(2);
}
const { main } = await import('./main.ts');

export { main };
