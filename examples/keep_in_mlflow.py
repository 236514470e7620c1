"""Keep a protected model in MLflow: loaded by fuzzsmooth itself, no pickle. Needs the extra `mlflow`.

The model is a tiny random one, so that this runs anywhere; with yours, give its folder.

Prints::

             text    label  radius
    a moving film  LABEL_1     1.0
          tedious  LABEL_1     1.0
"""

import mlflow
import pandas

import fuzzsmooth
from fuzzsmooth.apps.interop.mlflow import save_model
from fuzzsmooth.models.tiny import build_tiny

WORDS = ["a", "moving", "generous", "film", "dull", "tedious", "story", "that", "goes", "nowhere"]
build_tiny("bert", "model", vocabulary=WORDS, seed=9)
fuzzsmooth.protect("model", "windows", reach=1, fuzzing=False).save_pretrained("mine")

# In a run: log_model("mine", registered_model_name="reviews").
save_model("mine", "kept")

texts = pandas.DataFrame({"text": ["a moving film", "tedious"]})
answers = mlflow.pyfunc.load_model("kept").predict(texts)
print(texts.join(answers)[["text", "label", "radius"]].to_string(index=False))
