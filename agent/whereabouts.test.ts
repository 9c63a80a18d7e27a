/** To whom an agent turns, with replicas that are real servers. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { Agent } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { listen } from '../lib/listen.ts';
import { freePort } from '../lib/testing/free-port.ts';
import { Whereabouts } from './whereabouts.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function replica(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${port}`;
}

const ask = async (whereabouts: Whereabouts) => {
  const dispatcher = new Agent();
  try {
    const { body } = await whereabouts.ask('/v1/stream', { dispatcher });
    return await body.text();
  } finally {
    await dispatcher.close();
  }
};

/** An address at which nobody listens. */
const nobody = async () => `http://127.0.0.1:${await freePort()}`;

test('behind one address each connection is another draw, until the one that leads has it', async () => {
  const away = await nobody();
  let asked = 0;
  const service = await replica((request, response) => {
    asked += 1;
    if (asked < 7) response.writeHead(307, { location: `${away}${request.url}`, connection: 'close' }).end();
    else response.end('the leader');
  });
  expect(await ask(new Whereabouts(service))).toBe('the leader');
  expect(asked).toBe(7);
});

test('after ten draws it is said what may be wrong, and the next attempt asks the leader itself again', async () => {
  let [asked, leader] = [0, await nobody()];
  const service = await replica((request, response) => {
    asked += 1;
    response.writeHead(307, { location: `${leader}${request.url}`, connection: 'close' }).end();
  });
  const whereabouts = new Whereabouts(service);
  await expect(ask(whereabouts)).rejects.toThrow(
    `${service} sends us to a leader that is not reached from here; is its --advertise an address for us?`,
  );
  // The first answer led to the leader's address; each of the ten draws led there again.
  expect(asked).toBe(11);
  leader = await replica((_, response) => response.end('the leader'));
  expect(await ask(whereabouts)).toBe('the leader');
});

test('whoever is lost has the others asked, each once, before it is said that all had their turn', () => {
  const addresses = ['http://a', 'http://b', 'http://c'];
  const whereabouts = new Whereabouts(addresses.join(','));
  for (const round of ['first', 'second']) {
    const asked = [whereabouts.current()];
    while (!whereabouts.lost()) asked.push(whereabouts.current());
    expect(asked.sort(), round).toEqual(addresses);
  }
});
