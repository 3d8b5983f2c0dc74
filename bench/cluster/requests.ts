/** Requests that an API server has answered, and bytes of its answers, by verb and resource. */
export interface Answered {
  readonly requests: ReadonlyMap<string, number>;
  readonly megabytes: number;
}

/** Of the server's own metrics, which count every caller: measure while the others rest. Watches are counted when they begin. */
export async function answered(metrics: () => Promise<string>): Promise<Answered> {
  const requests = new Map<string, number>();
  let bytes = 0;
  for (const line of (await metrics()).split('\n')) {
    const found = /^(apiserver_request_total|apiserver_response_sizes_sum|apiserver_longrunning_requests)\{(.*)\} (\S+)$/.exec(
      line,
    );
    if (found === null) continue;
    const [, name, labels = '', value] = found;
    const label = (key: string): string => new RegExp(`(?:^|,)${key}="([^"]*)"`).exec(labels)?.[1] ?? '';
    if (label('resource') === 'leases' || label('resource') === '') continue;
    if (name === 'apiserver_response_sizes_sum') bytes += Number(value);
    else {
      // A watch that stays is not in the total yet.
      if (name === 'apiserver_request_total' && label('verb') === 'WATCH') continue;
      const key = `${label('verb')} ${label('resource')}${label('subresource') === '' ? '' : `/${label('subresource')}`}`;
      requests.set(key, (requests.get(key) ?? 0) + Number(value));
    }
  }
  return { requests, megabytes: bytes / 1e6 };
}

export function difference(
  before: Answered,
  after: Answered,
): { readonly requests: readonly (readonly [string, number])[]; readonly megabytes: number } {
  const requests = [...after.requests]
    .map(([key, count]) => [key, count - (before.requests.get(key) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one);
  return { requests, megabytes: after.megabytes - before.megabytes };
}
