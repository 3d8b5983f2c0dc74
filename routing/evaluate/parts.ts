/** A path without its query and fragment; matches look at nothing else of it. */
export function pathOnly(path: string): string {
  return /^[^?#]*/.exec(path)?.[0] ?? '';
}

/** From the `?` on. */
export function queryOf(path: string): string {
  return path.slice(pathOnly(path).length);
}

/** The first value of a parameter, as it stands (nothing is decoded); undefined when there is none. */
export function parameter(path: string, name: string): string | undefined {
  const query = queryOf(path);
  if (!query.startsWith('?')) return undefined;
  for (const pair of query.slice(1).split('#', 1)[0]?.split('&') ?? []) {
    const equals = pair.indexOf('=');
    if ((equals < 0 ? pair : pair.slice(0, equals)) === name) return equals < 0 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}

/** A host in lower case, without its port. */
export function hostOnly(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '');
}

/** The port that a host names. */
export function portIn(host: string): number | undefined {
  const digits = /:(\d{1,5})$/.exec(host)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
