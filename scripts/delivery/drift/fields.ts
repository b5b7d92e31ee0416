/**
 * The fields of a tree of the API server's field managers, as paths that a person reads: 'spec.replicas',
 * 'spec.template.spec.containers[core-go].image'. Of a list or map that belongs to somebody as a whole, only the top is
 * named. Format: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#FieldsV1
 */
export function fieldPaths(tree: object, above = ''): string[] {
  return Object.entries(tree).flatMap(([key, below]) => {
    // That the field above belongs to somebody is said by what is below it, or by its own line.
    if (key === '.') return [];
    const path = above + step(key, above);
    const deeper = fieldPaths((below ?? {}) as object, path);
    return deeper.length > 0 ? deeper : [path];
  });
}

/** One step of a path: a field, the entry of a list by its keys, a value of a set, or a place in a list. */
function step(key: string, above: string): string {
  const [form, rest] = [key.slice(0, 2), key.slice(2)];
  if (form === 'k:') return `[${Object.values(parsed(rest) as object).join(' ')}]`;
  if (form === 'v:') return `[${String(parsed(rest))}]`;
  if (form === 'i:') return `[${rest}]`;
  // The names of labels and annotations have dots of their own.
  if (/[./]/.test(rest)) return `[${rest}]`;
  return above === '' ? rest : `.${rest}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
