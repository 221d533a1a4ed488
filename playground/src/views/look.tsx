/** Look closer: what the model says of one picture, sound or text. */
import { useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { colourOf, cssOf } from '../logic/label-map.ts'
import type { Content } from '../logic/parts.ts'
import { headsFor, type Task, useSession } from '../session.ts'
import { CaptureButtons, FileButton } from '../ui/capture.tsx'
import { Boxes, Canvas } from '../ui/picture.tsx'
import { Player } from '../ui/player.tsx'
import { GroundPanel } from './look/ground.tsx'
import { AskPanel, HeadPanel, LabelsPanel } from './look/labels.tsx'
import { Mask, MaskPanel } from './look/masks.tsx'
import { contentOfFile } from './use-search.ts'

interface LookProps {
  subject: Content | undefined
  onSubject(subject: Content): void
}

export function LookView({ subject, onSubject }: LookProps) {
  const [words, setWords] = useState('')
  const take = ([file]: File[]) => file && onSubject(contentOfFile(file))
  return (
    <>
      <section class="panel row" aria-label="What to look at">
        <FileButton label="Picture or sound…" onFiles={take} />
        <CaptureButtons onFiles={take} />
        <form
          class="words"
          onSubmit={(event) => {
            event.preventDefault()
            if (words.trim() !== '') onSubject({ kind: 'text', text: words.trim() })
          }}
        >
          <input
            type="text"
            aria-label="A text"
            placeholder="or a text"
            value={words}
            onInput={(event) => setWords(event.currentTarget.value)}
          />
          <button type="submit">Take it</button>
        </form>
      </section>
      {subject ? <Looked key={keyOf(subject)} subject={subject} /> : <NothingYet />}
    </>
  )
}

/** Another subject begins anew. */
const keys = new WeakMap<Content, number>()
let lastKey = 0
function keyOf(subject: Content): number {
  if (!keys.has(subject)) keys.set(subject, ++lastKey)
  return keys.get(subject)!
}

function NothingYet() {
  return (
    <p class="empty">
      Choose, drop or record a picture or sound, or press <em>Look</em> at anything that a search found: then the model
      says what it is, and where.
    </p>
  )
}

function Looked({ subject }: { subject: Content }) {
  const session = useSession()
  const [grounded, setGrounded] = useState<Schemas['GroundResponse']>()
  const [segmented, setSegmented] = useState<Schemas['SegmentResponse']>()
  const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set())
  const isPicture = subject.kind === 'image' || subject.kind === 'file'
  const isSound = subject.kind === 'audio' || subject.kind === 'file'
  const takes = (input: string) =>
    (input === 'image' && isPicture) || (input === 'audio' && isSound) || input === subject.kind
  const classifiers = headsFor(session, 'classification', 'multi-label').filter(({ inputs }) => inputs.every(takes))
  const askers = headsFor(session, 'answering', 'answer-choice').filter(({ inputs }) => inputs.some(takes))
  return (
    <div class="looked">
      <section class="subject" aria-label="Subject">
        {subject.kind === 'text' && <q class="text">{subject.text}</q>}
        {subject.kind === 'audio' && <Player file={subject.file} name={subject.name} />}
        {isPicture && (
          <Canvas file={subject.file} alt={subject.name}>
            {segmented && <Mask answer={segmented} hidden={hidden} />}
            {grounded && (
              <Boxes
                size={grounded.image}
                boxes={grounded.results.map(({ box, phrase }, i) => ({
                  box,
                  label: phrase,
                  colour: cssOf(colourOf(i)),
                }))}
              />
            )}
          </Canvas>
        )}
        {subject.kind !== 'text' && <p class="small muted">{subject.name}</p>}
      </section>
      <div class="findings">
        <LabelsPanel subject={subject} />
        {isPicture && (
          <Gated task="grounding" what="draw the box of a phrase">
            {([head]) => <GroundPanel subject={subject} head={head!} onAnswer={setGrounded} />}
          </Gated>
        )}
        {isPicture && (
          <Gated task="segmentation" what="say which part of a picture is what">
            {([head]) => (
              <MaskPanel subject={subject} head={head!} onAnswer={setSegmented} hidden={hidden} onHidden={setHidden} />
            )}
          </Gated>
        )}
        {classifiers.map((head) => (
          <HeadPanel key={head.name} subject={subject} head={head} />
        ))}
        {subject.kind !== 'text' && askers.length > 0 && <AskPanel subject={subject} heads={askers} />}
      </div>
    </div>
  )
}

interface GatedProps {
  task: Task
  what: string
  children(heads: Schemas['HeadDetail'][]): preact.JSX.Element
}

/** What needs a head that the model may lack. */
function Gated({ task, what, children }: GatedProps) {
  const session = useSession()
  const heads = headsFor(session, task)
  if (heads.length > 0) return children(heads)
  return (
    <p class="panel small muted lacking">
      {session.model?.id} has no {task} head, so it cannot {what}. <code>onepeace convert</code> adds one with{' '}
      <code>--head NAME=CHECKPOINT</code>.
    </p>
  )
}
