/**
 * Cuts off clients that take an answer, or send a body, so slowly that they hold what others need (slow read, slow
 * POST). Looks once in a window: a transfer that was under way for all of it and moved too little ends.
 *
 * A transfer is watched while it is the client's turn: bytes wait for it to read, or we wait for bytes of its. An origin
 * that is slow is not the client's doing.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { Limits, OnLimit } from './limits.ts';
import { cameFrom, leftFor } from './socket-bytes.ts';

export interface RateWatch {
  /** `socket` is the one below TLS; `isTheirs`: it is the client's turn. */
  watch(socket: Socket, isTheirs: () => boolean): Transfer;
  stop(): void;
}

export interface Transfer {
  /** Bytes reached the kernel on another way than through the socket. */
  sentAside(bytes: number): void;
  /** It is not watched any more. */
  end(): void;
}

interface Watched {
  socket: Socket;
  isTheirs: () => boolean;
  /** Moved at the last look; nothing where it was not the client's turn then. */
  moved: number | undefined;
  aside: number;
}

export function createRateWatch(
  { leastBytes, windowMs }: Pick<Limits, 'leastBytes' | 'windowMs'>,
  clock: Clock,
  onLimit: OnLimit,
): RateWatch {
  const transfers = new Set<Watched>();
  const stop = leastBytes === 0 ? () => {} : clock.every(windowMs, look);

  function look(): void {
    for (const transfer of transfers) {
      const { socket, moved: before } = transfer;
      // Several requests may wait on one connection; it is cut off once.
      if (socket.destroyed) continue;
      const moved = cameFrom(socket) + leftFor(socket) + transfer.aside;
      const isTheirs = transfer.isTheirs();
      transfer.moved = isTheirs ? moved : undefined;
      if (isTheirs && before !== undefined && moved - before < leastBytes) {
        onLimit('minimumRate');
        // A reset, not an end: what it has is not the whole.
        socket.resetAndDestroy();
      }
    }
  }

  return {
    watch(socket, isTheirs) {
      const transfer: Watched = { socket, isTheirs, moved: undefined, aside: 0 };
      transfers.add(transfer);
      return {
        sentAside(bytes) {
          transfer.aside += bytes;
        },
        end: () => void transfers.delete(transfer),
      };
    },
    stop,
  };
}
