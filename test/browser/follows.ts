import { eventually } from '../eventually.ts';

/** The page is a step behind what is done to it. */
export function follows(check: () => Promise<void>): Promise<true> {
  return eventually('the page follows', () =>
    check().then(
      () => true as const,
      () => undefined,
    ),
  );
}
