/** For tests: a server that agents and `weir` take for an operator. It lets everybody in, and the rest is the test's. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { json } from 'node:stream/consumers';
import { JOIN_PATH, joinRequest } from '../../contract/stream/join.ts';
import { listen } from '../../lib/listen.ts';
import { type OperatorPlace, TOKEN, testBundle, testTls, testTrust } from './trust.ts';

export async function playOperator(
  answer: RequestListener,
): Promise<OperatorPlace & { stop: () => Promise<void> }> {
  const { trust } = await testTrust();
  const certify = async (request: IncomingMessage, response: ServerResponse) => {
    const body = joinRequest.parse(await json(request));
    response.end(JSON.stringify(await trust.joining.join({ token: TOKEN, from: '127.0.0.1' }, body)));
  };
  const server = createServer(await testTls(), (request, response) => {
    if (request.url === JOIN_PATH) certify(request, response).catch(() => response.destroy());
    else answer(request, response);
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    url: `https://127.0.0.1:${port}`,
    ca: await testBundle(),
    token: TOKEN,
    async stop() {
      server.close();
      server.closeAllConnections();
      await trust.stop();
    },
  };
}
