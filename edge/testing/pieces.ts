/** Bytes on one connection, piece by piece, and all that comes back: for what is held against node:http. */
import { connect } from 'node:net';

/** A piece follows when the answer to the one before has been out for so long: sent at once, they would come as one. */
const QUIET_MS = 10;
/** For the answer to a piece that is no whole request, and may never have one. */
const UNANSWERED_MS = 60;
/** For any other: as long as a loaded machine may take. */
export const PATIENCE_MS = 5_000;

const isWhole = (piece: string) => piece.endsWith('\r\n\r\n') && !/Content-Length: 5|chunked/.test(piece);

/** As many answers as requests, interim ones apart: less come where a fault cuts them off. */
function isAnswered(asked: string, text: string): boolean {
  const requests = asked.match(/[A-Z]+ +\S+ +HTTP\/\d/g)?.length ?? 0;
  const answers = text.match(/HTTP\/1\.1 [2-5]/g)?.length ?? 0;
  return answers >= requests;
}

/** Writes the pieces one after another on one connection, half-closes it, and gives all that comes back. */
export function sendPieces(
  port: number,
  pieces: readonly string[],
  unansweredMs = UNANSWERED_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    let index = 0;
    let timer = setTimeout(next, 0);
    function next(): void {
      const piece = pieces[index++];
      if (piece === undefined) {
        socket.end();
        return;
      }
      socket.write(piece, 'latin1');
      timer = setTimeout(next, isWhole(piece) ? PATIENCE_MS : unansweredMs);
    }
    socket.on('data', (data) => {
      text += data.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(next, isAnswered(pieces.slice(0, index).join(''), text) ? QUIET_MS : unansweredMs);
    });
    // Cut off while it still writes: what came before that is the answer.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error),
    );
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
