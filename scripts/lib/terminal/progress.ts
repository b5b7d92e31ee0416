import type { Ora } from 'ora';

/** Tells on standard error what goes on. On a terminal with a spinner for what is running, elsewhere in plain lines. */
export interface Progress {
  start(title: string): void;
  /** `seconds` is how long it took; `detail` what came of it. */
  done(title: string, seconds: number, detail?: string): void;
  failed(title: string, seconds: number): void;
  /** A line of its own. */
  note(text: string): void;
  /** Takes the spinner away. */
  stop(): void;
}

interface ProgressStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Makes the progress for a stream. A terminal that can't move its cursor gets plain lines, too, and so does one that
 * tells no width: ora would divide by it.
 */
export async function createProgress(stream: NodeJS.WriteStream): Promise<Progress> {
  const capable = stream.isTTY && stream.columns > 0 && stream.getColorDepth() > 1;
  if (!capable) return plain(stream);
  // Loaded where it is needed: the start of a command without a terminal is quicker for it.
  const { default: ora } = await import('ora');
  // Ctrl-C must reach the process as a signal, and standard input stays free for a question.
  return spinning(ora({ stream, isEnabled: true, discardStdin: false }));
}

/**
 * Does work under a title, and tells how long it took and, by `detail`, what came of it, or that it failed. Throws what
 * `work` throws.
 */
export async function timed<T>(
  progress: Progress,
  title: string,
  work: () => Promise<T>,
  detail: (result: T) => string | undefined = () => undefined,
): Promise<T> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  progress.start(title);
  try {
    const result = await work();
    progress.done(title, seconds(), detail(result));
    return result;
  } catch (error) {
    progress.failed(title, seconds());
    throw error;
  }
}

function plain(stream: ProgressStream): Progress {
  const line = (text: string) => void stream.write(`${text}\n`);
  return {
    start: () => {},
    done: (title, seconds, detail) => line(`✔ ${described(title, seconds, detail)}`),
    failed: (title, seconds) => line(`✖ ${described(title, seconds)}`),
    note: line,
    stop: () => {},
  };
}

function spinning(spinner: Ora): Progress {
  const running = new Set<string>();
  const started = Date.now();
  const timer = setInterval(() => show(), 1000);
  timer.unref();
  const show = () => {
    const seconds = Math.round((Date.now() - started) / 1000);
    spinner.text = `${[...running].join(', ')} (${seconds} s)`;
    if (running.size > 0 && !spinner.isSpinning) spinner.start();
  };
  const settle = (persist: () => void) => {
    persist();
    show();
  };
  return {
    start(title) {
      running.add(title);
      show();
    },
    done(title, seconds, detail) {
      running.delete(title);
      settle(() => spinner.succeed(described(title, seconds, detail)));
    },
    failed(title, seconds) {
      running.delete(title);
      settle(() => spinner.fail(described(title, seconds)));
    },
    note: (text) => settle(() => spinner.stopAndPersist({ text })),
    stop() {
      running.clear();
      clearInterval(timer);
      spinner.stop();
    },
  };
}

function described(title: string, seconds: number, detail?: string): string {
  return `${title.padEnd(24)} ${seconds.toFixed(1).padStart(5)} s${detail === undefined ? '' : `  ${detail}`}`;
}
