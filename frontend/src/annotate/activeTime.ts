/** Milliseconds of attention on one comparison: the page is visible and something was done in the last half minute. */

const IDLE_MS = 30_000;

export class ActiveTime {
  private total = 0;
  private lastSign: number;
  private visible = true;

  constructor(now: number) {
    this.lastSign = now;
  }

  /** A key, the pointer, the wheel or a touch. */
  sign(now: number): void {
    if (this.visible) this.total += Math.min(Math.max(0, now - this.lastSign), IDLE_MS);
    this.lastSign = now;
  }

  visibility(visible: boolean, now: number): void {
    if (visible === this.visible) return;
    if (!visible) this.sign(now);
    this.visible = visible;
    this.lastSign = now;
  }

  /** Ends the count for one comparison and starts the next. */
  take(now: number): number {
    this.sign(now);
    const total = this.total;
    this.total = 0;
    return Math.round(total);
  }
}
