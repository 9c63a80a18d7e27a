/** A program for the test of stop.ts: notes what it is told, and goes on until it is ended. */
import { appendFileSync } from 'node:fs';
import { silentLog } from '../../../lib/log.ts';
import { untilTold } from '../stop.ts';

const [, , file = ''] = process.argv;
const note = (line: string) => appendFileSync(file, `${line}\n`);

const { wait } = untilTold(silentLog, () => note('kill'));
setInterval(() => {}, 1_000);
note('ready');
await wait;
note('told');
