/** Connections to origins, as undici makes them, but for what a reset means. */
import { buildConnector } from 'undici';

export function connector(timeout: number): buildConnector.connector {
  const connect = buildConnector({ timeout });
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      // Before undici's own listener.
      socket.on('error', asBroken);
      callback(null, socket);
    });
}

/**
 * A body without a length ends with its connection, unless that had an error: then it is incomplete (RFC 9112 8). undici takes
 * ECONNRESET there for the end, by its code, and half an object would be stored as a whole one.
 */
function asBroken(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'UND_ERR_SOCKET';
}
