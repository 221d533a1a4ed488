/**
 * The official files, by the names that `onepeace pull` takes. Weights: checkpoints.md of github.com/OFA-Sys/ONE-PEACE, those that
 * `convert` reads. Dictionaries: GPT-2's byte-pair encoding with fairseq's dictionary, which ONE-PEACE uses as it is.
 */
const WEIGHTS = 'https://one-peace-shanghai.oss-accelerate.aliyuncs.com'
const GPT2_BPE = 'https://dl.fbaipublicfiles.com/fairseq/gpt2_bpe'

export interface OfficialFile {
  url: string
  /** Lower-case hex, where one is known: none is published for the weights. */
  sha256?: string
}

export interface Official {
  name: string
  what: string
  files: readonly OfficialFile[]
}

const finetuned = (name: string, file: string, what: string): Official => ({
  name,
  what,
  files: [{ url: `${WEIGHTS}/one_peace_checkpoints/${file}` }],
})

export const OFFICIAL: readonly Official[] = [
  {
    name: 'one-peace',
    what: 'the pretrained model, 4 billion parameters',
    files: [{ url: `${WEIGHTS}/one-peace.pt` }],
  },
  {
    name: 'bpe',
    what: 'dictionaries: encoder.json, vocab.bpe, dict.txt',
    files: [
      {
        url: `${GPT2_BPE}/encoder.json`,
        sha256: '196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783',
      },
      { url: `${GPT2_BPE}/vocab.bpe`, sha256: '1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5' },
      { url: `${GPT2_BPE}/dict.txt` },
    ],
  },
  finetuned('refcoco', 'finetune_refcoco.pt', 'grounding, on RefCOCO'),
  finetuned('refcoco+', 'finetune_refcoco%2B.pt', 'grounding, on RefCOCO+'),
  finetuned('refcocog', 'finetune_refcocog.pt', 'grounding, on RefCOCOg'),
  finetuned('vqa', 'finetune_vqa.pt', 'answers about pictures, on VQA'),
  finetuned('nlvr2', 'finetune_nlvr2.pt', 'a statement about two pictures, on NLVR2'),
  finetuned('coco', 'finetune_coco.pt', 'retrieval of pictures and texts, on COCO'),
  finetuned('flickr', 'finetune_flickr.pt', 'retrieval of pictures and texts, on Flickr30K'),
  finetuned('al-retrieval', 'finetune_al_retrieval.pt', 'retrieval of sounds and texts, on AudioCaps and Clotho'),
  finetuned('fsd50k', 'finetune_fsd50k.pt', 'classes of sounds, on FSD50K'),
  finetuned('vggsound', 'finetune_vggsound.pt', 'classes of sounds, on VGGSound'),
  finetuned('aqa', 'finetune_aqa.pt', 'answers about sounds, on AVQA'),
]
