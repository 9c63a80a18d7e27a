/** Thrown where a request can't be granted: answered with this status and text; with a location, whoever asks is to ask there. */
export class Refusal extends Error {
  readonly status: number;
  /** A URL without a path. */
  readonly location: string | undefined;

  constructor(status: number, message: string, location?: string) {
    super(message);
    this.status = status;
    this.location = location;
  }
}
