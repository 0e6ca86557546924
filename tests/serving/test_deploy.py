"""What is deployed: manifests against Kubernetes' own schemas, and that parts name each other."""

import re
from pathlib import Path

import pytest
import yaml

import serving
from export.savedmodel import BATCHING, BATCHING_NAME
from serving.flags import parse

DEPLOY = Path(serving.__path__[0]) / "deploy"
MODELS = "/models/phones"


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


@pytest.fixture(scope="module")
def objects():
    return {document["kind"]: document for document in documents("kubernetes.yaml")}


def test_manifests_fit_the_schemas_of_kubernetes():
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    manifests = documents("kubernetes.yaml")
    assert len(manifests) == 6
    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.31", strict=True)
    manifests[2]["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(manifests[2], "1.31", strict=True)


def test_parts_of_the_kubernetes_manifest_find_each_other(objects):
    spec = objects["Deployment"]["spec"]
    pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"]
    for selector in (
        spec["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    scaled = objects["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == objects["Deployment"]["metadata"]["name"]
    # With a number of its own, applying the manifest again would undo the autoscaler.
    assert "replicas" not in spec
    assert objects["PodDisruptionBudget"]["spec"]["minAvailable"] < scaled["minReplicas"]

    (container,) = pod["containers"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} == ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        (check,) = [
            container[probe].get(kind)
            for kind in ("httpGet", "tcpSocket")
            if kind in container[probe]
        ]
        assert check["port"] in ports
    # Utilisation is measured in parts of the request.
    assert "cpu" in container["resources"]["requests"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounts) == set(volumes)
    claim = objects["PersistentVolumeClaim"]["metadata"]["name"]
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == claim
    assert mounts["models"] == MODELS
    config = objects["ConfigMap"]
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
    assert (
        f"--monitoring_config_file={mounts['config']}/{next(iter(config['data']))}"
        in container["args"]
    )
    stop = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= stop + 30


def test_every_start_takes_flags_that_the_server_knows(objects, tmp_path):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (kserve,) = documents("kserve.yaml")
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    monitoring = objects["ConfigMap"]["data"]["monitoring.txt"]
    assert compose["configs"]["monitoring"]["content"] == monitoring
    (tmp_path / "monitoring.txt").write_text(monitoring)
    (tmp_path / BATCHING_NAME).write_text(BATCHING)
    starts = [
        compose["services"]["tensorflow-serving"]["command"],
        container["args"],
        kserve["spec"]["predictor"]["model"]["args"],
    ]
    for start in starts:
        # The same files, where they are here.
        flags = [re.sub(r"=.*/(\w+\.txt)$", rf"={tmp_path}/\1", flag) for flag in start]
        settings = parse([f"--model_base_path={tmp_path}", *flags])
        assert settings.batching.max_batch_size == 64
        assert settings.batching.max_enqueued_batches == 256


def test_compose_mounts_the_export_where_the_image_looks(objects):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    official, ours = compose["services"]["tensorflow-serving"], compose["services"]["zoo"]
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert official["image"] == container["image"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", official["image"])
    # The image's entry point serves MODEL_NAME from /models/MODEL_NAME.
    assert official["environment"]["MODEL_NAME"] == "phones"
    for service in (official, ours):
        (volume,) = service["volumes"]
        assert (volume["target"], volume["read_only"]) == (MODELS, True)
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    root = DEPLOY / ours["build"]["context"]
    assert (root / ours["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_dockerfile_copies_what_there_is_and_starts_the_server(tmp_path):
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    root = DEPLOY.parents[1]
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert all((root / name).exists() for name in line.split()[1:-1]), line
    commands = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in ("ENTRYPOINT", "CMD", "USER"):
            commands[word] = rest
    entry, defaults = (yaml.safe_load(commands[word]) for word in ("ENTRYPOINT", "CMD"))
    assert entry[:3] == ["python", "-m", "serving"]
    settings = parse([*entry[3:], *(d.replace(MODELS, str(tmp_path)) for d in defaults)])
    assert (settings.host, settings.port, settings.grpc_port) == ("0.0.0.0", 8501, 8500)
    assert [config.name for config in settings.configs()] == ["phones"]
    assert int(commands["USER"]) > 0


def test_kserve_serves_the_claim_with_tensorflows_protocol(objects):
    (service,) = documents("kserve.yaml")
    assert (service["apiVersion"], service["kind"]) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    predictor = service["spec"]["predictor"]
    assert set(predictor) == {
        "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout", "model",
    }  # fmt: skip
    model = predictor["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["protocolVersion"] == "v1"
    claim = objects["PersistentVolumeClaim"]["metadata"]["name"]
    assert model["storageUri"] == f"pvc://{claim}/"
    # KServe copies the claim's contents to /mnt/models and names the model after the service.
    assert f"--batching_parameters_file=/mnt/models/{BATCHING_NAME}" in model["args"]
    assert predictor["minReplicas"] <= predictor["maxReplicas"]
