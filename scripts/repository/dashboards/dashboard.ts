import { parser } from '@lezer/json';
import { messageOf } from '../../lib/errors.ts';
import { type Embedded, embeddedTexts } from '../rendering/manifests.ts';
import type { Repository } from '../rendering/repository.ts';
import { type FieldPath, mapIn, mapsIn, textsIn } from '../yaml.ts';

/** The uid of a data source, in a map or by itself. */
type DataSource = { uid?: string } | string | null;

export interface Panel {
  id?: number;
  type?: string;
  title?: string;
  description?: string;
  datasource?: DataSource;
  targets: { expr?: unknown; datasource?: DataSource }[];
  fieldConfig: { defaults: { unit?: string; steps: { value?: number | null }[] } };
  /** Those that a row holds. */
  panels: Panel[];
}

export interface Dashboard {
  uid?: string;
  title?: string;
  panels: Panel[];
  tags: string[];
  links: { type?: string; tags?: string[]; keepTime?: boolean; includeVars?: boolean }[];
  variables: { name?: string; type?: string; query?: unknown; datasource?: DataSource }[];
  annotations: { name?: string; enable?: boolean; expr?: unknown; target?: unknown; datasource?: DataSource }[];
}

export interface DashboardFile {
  embedded: Embedded;
  dashboard: Dashboard;
  /** The line of the manifest on which a field stands. */
  line(path: FieldPath): number | undefined;
  /** What is wrong with the JSON. The dashboard is empty then. */
  fault?: { line: number | undefined; message: string };
}

const folder = 'observability/grafana/';

/** The dashboards in Grafana's ConfigMaps: every text whose name ends in .json. */
export async function dashboardFiles(repository: Repository): Promise<DashboardFile[]> {
  const texts = await embeddedTexts(repository, folder);
  return texts
    .filter(({ key }) => key.endsWith('.json'))
    .map((embedded) => {
      const json = readJson(embedded.text);
      if (json.fault) {
        const fault = { line: embedded.line(json.fault.line), message: json.fault.message };
        return { embedded, dashboard: asDashboard({}), line: () => fault.line, fault };
      }
      const line = (path: FieldPath) => embedded.line(json.lineOf(path));
      return { embedded, dashboard: asDashboard(json.value), line };
    });
}

/** A dashboard's JSON, read as if it had the shape that is wanted. */
export function asDashboard(value: unknown): Dashboard {
  const { templating, annotations, ...dashboard } = mapIn<Record<string, unknown>>(value);
  return {
    ...dashboard,
    panels: asPanels(dashboard.panels),
    tags: textsIn(dashboard.tags),
    links: mapsIn<Dashboard['links'][number]>(dashboard.links).map((link) => ({ ...link, tags: textsIn(link.tags) })),
    variables: mapsIn(mapIn<{ list: unknown }>(templating).list),
    annotations: mapsIn(mapIn<{ list: unknown }>(annotations).list),
  };
}

function asPanels(value: unknown): Panel[] {
  return mapsIn<Panel>(value).map((panel) => ({
    ...panel,
    targets: mapsIn(panel.targets),
    fieldConfig: { defaults: asDefaults(panel.fieldConfig) },
    panels: asPanels(panel.panels),
  }));
}

function asDefaults(fieldConfig: unknown): Panel['fieldConfig']['defaults'] {
  const { defaults } = mapIn<{ defaults: unknown }>(fieldConfig);
  const { unit, thresholds } = mapIn<{ unit: unknown; thresholds: unknown }>(defaults);
  const steps = mapsIn<{ value: number | null }>(mapIn<{ steps: unknown }>(thresholds).steps);
  return { steps, ...(typeof unit === 'string' && { unit }) };
}

/** The uid that a data source is named by. */
export function uidOf(source: DataSource | undefined): string | undefined {
  return typeof source === 'string' ? source : source?.uid;
}

/** Every panel with its path, those that a row holds included. */
export function panelsOf(panels: readonly Panel[], path: FieldPath = []): { panel: Panel; path: FieldPath }[] {
  return panels.flatMap((panel, index) => {
    const own = [...path, 'panels', index];
    return [{ panel, path: own }, ...panelsOf(panel.panels, own)];
  });
}

/** A JSON text that was read, or the first thing that is wrong with it. */
type Json =
  | { value: unknown; lineOf(path: FieldPath): number; fault?: never }
  | { fault: { line: number; message: string } };

type Node = ReturnType<typeof parser.parse>['topNode'];

/** Reads JSON so that the line of each field can be asked for, from 1. Never throws. */
export function readJson(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    let top: Node | undefined;
    return {
      value,
      lineOf(path) {
        top ??= parser.parse(text).topNode;
        return lineAt(text, nodeAt(text, top, path).from);
      },
    };
  } catch (error) {
    // Node's message says what, but only some versions of it say where.
    return {
      fault: { line: lineAt(text, firstError(text)), message: parseMessage(messageOf(error)) },
    };
  }
}

/** `Unexpected token ']', ..."a",],\n"b"... is not valid JSON` and its like, without what only repeats the text. */
function parseMessage(message: string): string {
  return message.replace(/(, (\.\.\.)?"| in JSON at position).*/s, '');
}

/** The node of the innermost field of the path that exists. */
function nodeAt(text: string, top: Node, path: FieldPath): Node {
  let found = top;
  let value = top.firstChild;
  for (const part of path) {
    const items = value === null ? [] : children(value);
    const item =
      typeof part === 'number'
        ? items.filter(({ name }) => /^[A-Z]/.test(name))[part]
        : items.find((each) => each.name === 'Property' && propertyName(text, each) === part);
    if (item === undefined) break;
    found = item;
    value = item.name === 'Property' ? item.lastChild : item;
  }
  return found;
}

function propertyName(text: string, property: Node): unknown {
  const name = property.firstChild;
  return name === null ? undefined : JSON.parse(text.slice(name.from, name.to));
}

function children(node: Node): Node[] {
  const found: Node[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

function firstError(text: string): number {
  let first = text.length;
  parser.parse(text).iterate({
    enter: ({ type, from }) => {
      if (type.isError) first = Math.min(first, from);
    },
  });
  return first;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
