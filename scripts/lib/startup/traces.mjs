import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * Has stack traces name the lines of the .ts files for what runs from this folder. Its maps are read when somebody looks at
 * a stack: Node itself would read all of them at every start.
 */
export function traceTo(folder) {
  const address = pathToFileURL(folder).href;
  const maps = new Map();
  const original = (file, line, column) => {
    try {
      const known = maps.get(file) ?? new SourceMap(JSON.parse(readFileSync(`${folder}${file}.map`, 'utf8')));
      maps.set(file, known);
      const { originalSource, originalLine, originalColumn } = known.findEntry(line - 1, column - 1);
      return `${new URL(originalSource, address).href}:${originalLine + 1}:${originalColumn + 1}`;
    } catch {
      // No map, or nothing in it: the line of the program is better than none.
      return `${address}${file}:${line}:${column}`;
    }
  };
  Error.prepareStackTrace = (error, sites) => {
    // zx makes one for each command, to know who called it.
    const wanted = error?.message !== 'zx error';
    const lines = sites.map((site) => {
      const url = site.getFileName() ?? '';
      const text = `${site}`;
      if (!wanted || !url.startsWith(address)) return `\n    at ${text}`;
      const [line, column] = [site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1];
      return `\n    at ${text.replace(`${url}:${line}:${column}`, original(url.slice(address.length), line, column))}`;
    });
    return `${headOf(error)}${lines.join('')}`;
  };
}

function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}
