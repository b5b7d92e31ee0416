import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config/config.ts';
import { kubernetesVersion } from './config/versions.ts';
import { createImageCache } from './images/cache.ts';
import type { Context } from './images/context.ts';
import { type Credentials, createCredentials } from './images/credentials/credentials.ts';
import { containerVariables } from './images/network.ts';
import { createImageStore, notePulled, unmanagedImages } from './images/store.ts';
import { createUnpackedImages } from './images/unpacked.ts';
import { type ApiServer, connect } from './kubernetes/api/api.ts';
import { createView, type View } from './kubernetes/api/view.ts';
import { createKubectl } from './kubernetes/kubectl.ts';
import { createToolbox } from './kubernetes/tools/toolbox.ts';
import { UserError } from './lib/errors.ts';
import { createExec, type Exec } from './lib/exec.ts';
import type { Checkout } from './lib/git/checkout.ts';
import { useNetwork } from './lib/http/agent.ts';
import type { Trace } from './lib/trace.ts';
import { imagesAtHead } from './repository/committed-values.ts';
import { readWorkingTree } from './repository/text.ts';

export interface ContextOptions {
  signal: AbortSignal;
  /** Seconds that a single component may take. */
  timeout?: number;
  onCommand?: (command: readonly string[]) => void;
  /** Records commands, downloads, images and waits. */
  trace?: Trace;
  /** Fetch nothing: what is neither on this machine nor in the cache is missing. */
  offline?: boolean;
  /** Nothing is waited for: each list of objects is asked for once, and all that is told is of the same moment. */
  oneLook?: boolean;
  /** Those of an earlier context, which were looked for and checked already. */
  credentials?: Credentials;
  /** Told why something is tried again; without it, nothing is. */
  onRetry?: (why: string) => void;
  /** Told once for each tool that has to be fetched. */
  onDownload?: (what: string) => void;
}

/** Puts together what a command needs, and sets how servers elsewhere are reached. */
export function createContext(config: Config, options: ContextOptions): Context {
  const { signal, trace } = options;
  useNetwork(config.network);
  const timeout = options.timeout === undefined ? undefined : options.timeout * 1000;
  const plain = createExec({ env: config.childEnv, signal, timeout, onCommand: options.onCommand });
  const exec: Exec = trace
    ? (command, settings) => trace.during('command', command.join(' '), () => plain(command, settings))
    : plain;
  const node = `${config.clusterName}-control-plane`;
  const kubeconfig = join(config.stateDir, 'kubeconfig');
  const { target } = config;
  const kubeContext = target ?? `kind-${config.clusterName}`;
  const onRetry = options.onRetry && onceInAWhile(options.onRetry);
  const onRequest = trace && ((url: string) => trace.begin('download', url));
  const downloads = { timeout, onRetry, onRequest, offline: options.offline ?? false };
  const toolbox = createToolbox({
    exec,
    path: config.path,
    cacheDir: config.cacheDir,
    kubernetesVersion: kubernetesVersion(config.nodeImage),
    signal,
    offline: options.offline ?? false,
    limits: downloads,
    ...(options.onDownload && { onDownload: options.onDownload }),
  });
  const retryFor = (longest: number) => onRetry && { patience: Math.min(longest, context.timeout), signal, onRetry };
  const packed = join(config.cacheDir, 'images');
  const imagesIn = (container: string, onlyHold = false) =>
    createImageStore(exec, container, signal, {
      onPulled: (image) => notePulled(config.cacheDir, image),
      onRetry,
      trace,
      onlyHold,
      variables: () => containerVariables(config.network, onlyHold ? 'machine' : 'node'),
      cache: createImageCache({ folder: packed, limit: config.imageCacheLimit }),
      ...(timeout !== undefined && { timeout }),
    });
  let checkout: Promise<Checkout> | undefined;
  let api: ApiServer | undefined;
  let view: View | undefined;

  const context: Context = {
    config,
    exec,
    signal,
    toolbox,
    timeout: timeout ?? 300_000,
    downloads,
    node,
    kubeconfig,
    kubeContext,
    ...(target !== undefined && { target }),
    ...(trace && { trace }),
    images: target === undefined ? imagesIn(node) : unmanagedImages,
    imagesToKeep: (container) => imagesIn(container, true),
    unpacked: createUnpackedImages({
      exec,
      folder: join(config.cacheDir, 'nodes'),
      packed,
      limit: config.imageCacheLimit,
      scripts: join(config.root, 'cluster', 'node-images'),
    }),
    credentials:
      options.credentials ??
      createCredentials({
        tokens: config.tokens,
        exec,
        signal,
        images: async () => [...(await imagesAtHead(context)).values()],
      }),
    checkout(fresh) {
      if (fresh || checkout === undefined) checkout = readWorkingTree(exec, config.root);
      return checkout;
    },
    api() {
      api ??= connect(readKubeconfig(kubeconfig, config.clusterName), signal, retryFor(60_000), exec);
      return api;
    },
    view() {
      view ??= createView(context.api(), options.oneLook ? Infinity : undefined);
      return view;
    },
    async kubectl() {
      const { path } = await toolbox.find('kubectl');
      return createKubectl(exec, path, kubeconfig, kubeContext, {
        retry: retryFor(context.timeout),
        api: () => context.api(),
      });
    },
    reconnect() {
      api?.close();
      api = undefined;
      view = undefined;
    },
  };
  return context;
}

/** Milliseconds in which a reason is told once, though every component that works at this time meets it. */
const repeatAfterMs = 10_000;

function onceInAWhile(tell: (why: string) => void): (why: string) => void {
  const told = new Map<string, number>();
  return (why) => {
    const now = performance.now();
    if (now - (told.get(why) ?? Number.NEGATIVE_INFINITY) > repeatAfterMs) tell(why);
    told.set(why, now);
  };
}

function readKubeconfig(file: string, cluster: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UserError(`There is no kubeconfig for the cluster ${cluster}.`, {
      id: 'no-cluster',
      hint: 'npm run up',
      cause,
    });
  }
}
