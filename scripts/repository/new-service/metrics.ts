import { type Document, isMap, isScalar, type Pair, type Scalar, YAMLMap } from 'yaml';
import { metricsFile } from '../metric-names.ts';
import { type Change, edit, editYaml, noPlace } from './change.ts';
import { model, type Wish } from './wish.ts';

const comment = " The stand-in. What the program's own client adds belongs under `documented`, beside `recorded`.";

/** The list of metrics with those of a new service, behind the services that are there: its stand-in has the model's. */
export function metricsOf(root: string, { name }: Wish, services: readonly string[]): Promise<Change> {
  return edit(root, metricsFile, (text) =>
    editYaml(text, metricsFile, (document) => {
      const recorded = document.getIn([model, 'recorded']);
      const { contents } = document;
      if (!isMap(contents) || recorded === undefined) throw noPlace(metricsFile, `list ${model}.recorded`);
      const last = contents.items.findLastIndex(({ key }) => services.includes(keyOf(key)));
      contents.items.splice(last + 1, 0, entry(document, name, recorded));
    }),
  );
}

function entry(document: Document, name: string, recorded: unknown): Pair {
  const key = document.createNode(name) as Scalar;
  key.spaceBefore = true;
  key.commentBefore = comment;
  const lists = new YAMLMap();
  lists.set('recorded', (recorded as YAMLMap).clone());
  return document.createPair(key, lists);
}

function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}
