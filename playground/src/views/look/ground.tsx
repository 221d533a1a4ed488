/** Where phrases are in a picture, each in its colour. */
import { useState } from 'preact/hooks'
import type { Schemas } from '../../api/call.ts'
import { groundCall } from '../../api/calls.ts'
import { colourOf, cssOf } from '../../logic/label-map.ts'
import type { Content } from '../../logic/parts.ts'
import { listOf } from '../../logic/words.ts'
import { CopyAs } from '../../ui/copy-as.tsx'
import { useAsk } from '../../ui/hooks.ts'
import { ProblemNote } from '../../ui/problem.tsx'

interface GroundProps {
  subject: Content
  head: Schemas['HeadDetail']
  onAnswer(answer: Schemas['GroundResponse']): void
}

export function GroundPanel({ subject, head, onAnswer }: GroundProps) {
  const [phrases, setPhrases] = useState('')
  const [asking, ask] = useAsk<Schemas['GroundResponse']>()
  const list = listOf(phrases)
  return (
    <form
      class="panel"
      aria-label="Phrases"
      onSubmit={async (event) => {
        event.preventDefault()
        const answer = await ask(groundCall(subject, list, head.name))
        if (answer) onAnswer(answer)
      }}
    >
      <h2>Phrases</h2>
      <p class="small muted">A box is drawn for each, there or not; the score tells more.</p>
      <label class="field">
        Phrases, between commas
        <input
          type="text"
          placeholder="the red car, a dog on the left"
          value={phrases}
          onInput={(event) => setPhrases(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="primary" disabled={list.length === 0 || asking.state === 'busy'}>
          Point at them
        </button>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.answer && (
        <ul class="legend" aria-label="Boxes">
          {asking.answer.results.map(({ phrase, box, score }, i) => (
            <li key={phrase}>
              <span class="swatch" style={{ background: cssOf(colourOf(i)) }} />
              <span class="name">{phrase}</span>
              <span class="small muted">
                {[box.x1, box.y1, box.x2, box.y2].map(Math.round).join(', ')}
                {score !== undefined && ` · cos ${score.toFixed(3)}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </form>
  )
}
