/** `npm run fuzz:dns -- --packets 10000000`: seeds one after the other until as many packets were sent. */
import { Command } from 'commander';
import { fuzz } from './fuzz.ts';

const PACKETS_PER_SEED = 100_000;

const { seed, packets } = new Command('fuzz:dns')
  .description('Sends odd packets to the dns-server’s code and holds each answer to what must be true.')
  .option('--seed <number>', 'where to begin', String(Date.now() % 1_000_000))
  .option('--packets <number>', 'how many', '1000000')
  .parse()
  .opts<{ seed: string; packets: string }>();

for (let sent = 0, at = Number(seed); sent < Number(packets); sent += PACKETS_PER_SEED, at++) {
  const { answered, silent, faults } = fuzz(at, PACKETS_PER_SEED);
  console.log(`seed ${at}: ${answered} answered, ${silent} silent, ${faults.length} wrong`);
  for (const { packet, fault } of faults) console.log(`  ${fault}: ${packet}`);
  if (faults.length > 0) process.exitCode = 1;
}
