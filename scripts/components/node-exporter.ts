import { part } from './prometheus-parts.ts';

/** What the kernel of each node says of it, as metrics: NODE_EXPORTER=true. */
export const nodeExporter = part('node-exporter');
