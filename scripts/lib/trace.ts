/** What kind of work a span is of: each is a row of its own in the timeline. */
export type Category = 'component' | 'command' | 'download' | 'image' | 'wait' | 'event';

/** Something that took time, in milliseconds of `performance.now()`. */
export interface Span {
  category: Category;
  name: string;
  start: number;
  end: number;
  details: Record<string, string>;
}

/** Records what goes on, for a timeline. */
export interface Trace {
  /** Something begins; to be called when it is over. */
  begin(category: Category, name: string): () => void;
  /** Records work, also where it fails. */
  during<T>(category: Category, name: string, work: () => Promise<T>): Promise<T>;
  /** All that was, what is not over yet up to now. */
  spans(): Span[];
}

/** Makes a trace. It costs a line of memory for each span. */
export function createTrace(): Trace {
  const all: (Omit<Span, 'end'> & { end?: number })[] = [];
  const begin: Trace['begin'] = (category, name) => {
    const span: (typeof all)[number] = { category, name, start: performance.now(), details: {} };
    all.push(span);
    return () => {
      span.end ??= performance.now();
    };
  };
  return {
    begin,
    async during(category, name, work) {
      const end = begin(category, name);
      try {
        return await work();
      } finally {
        end();
      }
    },
    spans: () => all.map((span) => ({ ...span, end: span.end ?? performance.now() })),
  };
}

/** Makes what is told what is waited for now, undefined for nothing: each is a span from when it was told first. */
export function createWaitTracer(trace: Trace | undefined): (missing: string | undefined) => void {
  let waited: string | undefined;
  let over: (() => void) | undefined;
  return (missing) => {
    if (missing === waited) return;
    over?.();
    over = missing === undefined ? undefined : trace?.begin('wait', missing);
    waited = missing;
  };
}
