import type { CaptureMode } from './running-mesh.ts';

/**
 * Runs a suite in both capture modes. Network namespaces need root on Linux: elsewhere that half is skipped by name, and
 * with CI set it fails instead.
 */
export function inBothCaptureModes(title: string, suite: (capture: CaptureMode, flags: readonly string[]) => void): void {
  for (const capture of ['explicit', 'netns'] as const) {
    describe(`${title} (capture ${capture})`, function () {
      this.timeout(120_000);
      if (capture === 'netns') {
        before('network namespaces need root on Linux', function () {
          if (process.platform === 'linux' && process.getuid?.() === 0) return;
          if (process.env['CI'] !== undefined) throw new Error('network namespaces need root on Linux');
          this.skip();
        });
      }
      suite(capture, []);
    });
  }
}

/** Once more, with proxies that begin without a cluster and ask for what they call: nothing else is to be different. */
export function inBothCaptureModesAndScoped(
  title: string,
  suite: (capture: CaptureMode, flags: readonly string[]) => void,
): void {
  inBothCaptureModes(title, suite);
  describe(`${title} (capture explicit, automatic scopes)`, function () {
    this.timeout(120_000);
    suite('explicit', ['--automatic-scope']);
  });
}
