/** Code in a box that scrolls, and can be reached by keyboard for it. */
import type { Ref } from 'preact'

export function Code({ text, label, box }: { text: string; label: string; box?: Ref<HTMLElement> }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="code" tabIndex={0} aria-label={label} {...(box && { ref: box })}>
      <pre>{text}</pre>
    </section>
  )
}
