//! The feature `cuda` where no GPU can be used. What runs on one are the other tests, built with the feature
//! (`make test CUDA=1`, or `make test-cuda-on-cpu` with stand-ins): golden values, twins, the latent model.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)] // A test may.

use energy_discrepancy::prelude::*;

/// The driver reads once, for the whole process, which GPUs to hide: the test runs itself once more.
#[test]
fn without_a_gpu_there_is_an_error() {
    let hidden = "CUDA_VISIBLE_DEVICES";
    if std::env::var(hidden).as_deref() == Ok("") {
        let error = device().unwrap_err().to_string();
        assert!(error.contains("no GPU can be used"), "{error}");
        return;
    }
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_a_gpu_there_is_an_error", "--nocapture"])
        .env(hidden, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.is_empty(), "{said}");
}
