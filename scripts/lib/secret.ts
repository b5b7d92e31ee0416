import { inspect } from 'node:util';

/** A value that prints as dots wherever it is logged, joined or serialised; only `reveal` gives it away. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. For standard input of a child or a request header, never for an argument or a message. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '••••';
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** A text as base64 of its UTF-8: what a Secret's data and a Basic authorization consist of. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
