/** Which part of a picture is what. */
import { useEffect, useRef } from 'preact/hooks'
import type { Schemas } from '../../api/call.ts'
import { segmentCall } from '../../api/calls.ts'
import { colourOf, cssOf, isGround, pixelsOf } from '../../logic/label-map.ts'
import type { Content } from '../../logic/parts.ts'
import { CopyAs } from '../../ui/copy-as.tsx'
import { useAsk } from '../../ui/hooks.ts'
import { ProblemNote } from '../../ui/problem.tsx'

interface MaskProps {
  answer: Schemas['SegmentResponse']
  hidden: ReadonlySet<number>
}

/** The label map, stretched over the picture. */
export function Mask({ answer: { map }, hidden }: MaskProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const pixels = new ImageData(pixelsOf(map, hidden), map.width, map.height)
    canvas.current!.getContext('2d')!.putImageData(pixels, 0, 0)
  }, [map, hidden])
  return <canvas ref={canvas} class="mask" width={map.width} height={map.height} />
}

interface MaskPanelProps {
  subject: Content
  head: Schemas['HeadDetail']
  onAnswer(answer: Schemas['SegmentResponse']): void
  hidden: ReadonlySet<number>
  onHidden(hidden: ReadonlySet<number>): void
}

export function MaskPanel({ subject, head, onAnswer, hidden, onHidden }: MaskPanelProps) {
  const [asking, ask] = useAsk<Schemas['SegmentResponse']>()
  const draw = async () => {
    const answer = await ask(segmentCall(subject, head.name))
    if (!answer) return
    onAnswer(answer)
    onHidden(new Set(answer.classes.filter(({ label }) => isGround(label)).map((one) => one.class)))
  }
  const toggle = (index: number, isShown: boolean) => {
    const next = new Set(hidden)
    if (isShown) next.delete(index)
    else next.add(index)
    onHidden(next)
  }
  return (
    <section class="panel" aria-label="Masks">
      <h2>Masks</h2>
      <p class="small muted">
        {head.classes} classes{head.labels ? `: ${head.labels.slice(0, 6).join(', ')}…` : '.'}
      </p>
      <div class="row">
        <button type="button" disabled={asking.state === 'busy'} onClick={draw}>
          Draw them
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.answer && (
        <ul class="legend" aria-label="Classes found">
          {asking.answer.classes.map(({ class: index, label, share }) => (
            <li key={index}>
              <label>
                <input
                  type="checkbox"
                  checked={!hidden.has(index)}
                  onChange={(event) => toggle(index, event.currentTarget.checked)}
                />
                <span class="swatch" style={{ background: cssOf(colourOf(index)) }} />
                <span class="name">{label}</span>
                <span class="small muted">{(share * 100).toFixed(share < 0.01 ? 1 : 0)} %</span>
              </label>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
