import stringify from 'json-stringify-pretty-compact';
import { isRecord } from '../../lib/text.ts';

type Json = null | boolean | number | string | Json[] | JsonMap;
export type JsonMap = { [field: string]: Json };

/** What Grafana's database, its versions and its export put into a dashboard. */
const noise = ['id', 'version', 'iteration', '__inputs', '__requires', '__elements'];

/** What Grafana writes where nobody chose anything: without it the dashboard is the same. */
const defaults: JsonMap = {
  style: 'dark',
  weekStart: '',
  liveNow: false,
  preload: false,
  fiscalYearStartMonth: 0,
  gnetId: null,
};

const first = ['uid', 'id', 'refId', 'type', 'name', 'title', 'description'];
const last = ['panels'];

/**
 * A dashboard as it stands in its file: what says nothing about what it shows is left out, and the fields are in one order.
 * It is the same for the file, for what Grafana makes of the file, and for what a person saves without changing anything.
 */
export function normalForm(dashboard: JsonMap): JsonMap {
  const kept = Object.entries(dashboard).filter(
    ([field, value]) => !noise.includes(field) && !(field in defaults && defaults[field] === value),
  );
  const { panels, annotations, templating, ...others } = Object.fromEntries(kept);
  return sorted({
    ...others,
    annotations: { list: listOf(annotations).filter(({ builtIn }) => builtIn !== 1) },
    templating: { list: listOf(templating).map(variable) },
    panels: mapsIn(panels).map(panel),
  }) as JsonMap;
}

/** The text of a dashboard's file: short things on one line, as a person would write them. */
export function fileText(dashboard: JsonMap): string {
  return `${stringify(normalForm(dashboard), { maxLength: 120, indent: 2 })}\n`;
}

/** A row holds panels of its own. The version of its program is Grafana's, not the panel's. */
function panel({ pluginVersion: _, panels, ...fields }: JsonMap): JsonMap {
  return panels === undefined ? fields : { ...fields, panels: mapsIn(panels).map(panel) };
}

/** What is selected right now, and what there is to select, change with who looks and when. */
function variable({ current, options, ...fields }: JsonMap): JsonMap {
  const asked = fields.type === 'query' || fields.type === 'datasource';
  const [chosen] = mapsIn([current ?? null]);
  const { selected: _, ...choice } = chosen ?? {};
  return {
    ...fields,
    ...(Object.keys(choice).length > 0 && { current: choice }),
    ...(!asked && Array.isArray(options) && options.length > 0 && { options }),
  };
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const rank = (field: string) => (first.includes(field) ? first.indexOf(field) : last.includes(field) ? 99 : 50);
  const fields = Object.keys(value).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(fields.map((field) => [field, sorted(value[field] ?? null)]));
}

function listOf(value: Json | undefined): JsonMap[] {
  return mapsIn(mapsIn([value ?? null])[0]?.list);
}

function mapsIn(value: Json | undefined): JsonMap[] {
  return Array.isArray(value) ? value.filter((each): each is JsonMap => isRecord(each)) : [];
}
