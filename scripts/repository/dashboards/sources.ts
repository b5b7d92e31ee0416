import { type Embedded, embeddedTexts } from '../rendering/embedded.ts';
import type { FieldPath } from '../rendering/located.ts';
import type { Repository } from '../rendering/repository.ts';
import { mapIn, mapsIn, textsIn } from '../shapes.ts';
import { readJson } from './json.ts';

/** The uid of a data source, in a map or by itself. */
export type DataSource = { uid?: string } | string | null;

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
