/** A program for the supervisor's tests: notes its starts in a file, and behaves as it is told. */
import { appendFileSync } from 'node:fs';

const [, , file = '', behaviour = ''] = process.argv;
appendFileSync(file, `start ${behaviour}\n`);

process.on('SIGTERM', () => {
  appendFileSync(file, 'SIGTERM\n');
  if (behaviour !== 'stubborn') process.exit(0);
});
process.on('disconnect', () => {
  appendFileSync(file, 'disconnect\n');
  process.exit(0);
});
if (behaviour === 'dies') process.exit(3);
